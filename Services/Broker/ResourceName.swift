/// Names of queues and topics, and their ARNs and URLs.
///
/// The broker has one name space: region and account in an ARN follow the caller and are not looked at when it comes
/// back, so that a client may use any region.
enum ResourceName {
    /// Up to 80 letters, digits, hyphens and underscores; at the end of a FIFO queue's name, and nowhere else, `.fifo`.
    static func checkQueue(_ name: String, isFIFO: Bool) throws(AWSError) {
        if isFIFO {
            guard name.hasSuffix(fifoSuffix), isWellFormed(String(name.dropLast(5)), longest: 75) else {
                throw .invalidParameterValue(
                    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
                )
            }
        } else if !isWellFormed(name, longest: 80) {
            throw .invalidParameterValue(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
        }
    }

    static let fifoSuffix = ".fifo"

    /// Up to 256 letters, digits, hyphens and underscores; at the end of a FIFO topic's name, and nowhere else, `.fifo`.
    static func checkTopic(_ name: String, isFIFO: Bool) throws(AWSError) {
        if isFIFO {
            guard name.hasSuffix(fifoSuffix), isWellFormed(String(name.dropLast(5)), longest: 251) else {
                throw .invalidParameter(
                    "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
                )
            }
        } else if !isWellFormed(name, longest: 256) {
            throw .invalidParameter("Topic Name")
        }
    }

    /// The last part of `http://host/account/name`; a bare name is taken too, as Amazon does.
    static func queue(fromURL url: String) throws(AWSError) -> String {
        let name = url.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init) ?? ""
        guard !name.isEmpty, !isDeliveries(name) else { throw .queueDoesNotExist }
        return name
    }

    /// The name in `arn:aws:sqs:region:account:name`; `nil` if it is no ARN of a queue.
    static func queue(fromARN arn: String) -> String? { parts(of: arn, service: "sqs", count: 6)?[5] }

    /// The name in `arn:aws:sns:region:account:name`.
    static func topic(fromARN arn: String) throws(AWSError) -> String {
        guard let parts = parts(of: arn, service: "sns", count: 6) else { throw malformed(arn, "TopicArn") }
        return parts[5]
    }

    /// The id in `arn:aws:sns:region:account:topic:id`.
    static func subscription(fromARN arn: String) throws(AWSError) -> String {
        guard let parts = parts(of: arn, service: "sns", count: 7) else {
            throw parts(of: arn, service: "sns", count: 6) == nil
                ? malformed(arn, "SubscriptionArn") : .invalidParameter("SubscriptionId")
        }
        return parts[6]
    }

    private static func malformed(_ arn: String, _ parameter: String) -> AWSError {
        let count = arn.split(separator: ":", omittingEmptySubsequences: false).count
        return .invalidParameter(
            count < 6 ? "\(parameter) Reason: An ARN must have at least 6 elements, not \(count)" : parameter)
    }

    /// The queue in which notifications wait for an HTTP endpoint. No client can name it, for the colon.
    static func deliveries(topic: String, subscription: String) -> String { "\(topic):\(subscription)" }

    static func isDeliveries(_ queue: String) -> Bool { queue.utf8.contains(UInt8(ascii: ":")) }

    private static func parts(of arn: String, service: String, count: Int) -> [String]? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == count, parts[0] == "arn", parts[2] == service, parts[count - 1] != "" else { return nil }
        return parts
    }

    /// Whether it is of letters, digits, hyphens and underscores, as the ids and labels that clients choose are too.
    static func isWellFormed(_ name: String, longest: Int) -> Bool {
        !name.isEmpty && name.utf8.count <= longest
            && name.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
}

/// Who calls, and from where: what ARNs and URLs in the answer are made of.
struct Caller: Sendable {
    let region: String
    /// `http://` and the Host header.
    let baseURL: String
    let account: String
    let requestID: String
    let correlationID: String
    /// `X-Amzn-Trace-Id`, which X-Ray's instrumentation of an SDK adds.
    var traceHeader: String?
    /// Whether it came in like anybody who may; `false` for one who only knew an address out of a notification.
    var isAuthenticated = true

    func authenticated(_ isAuthenticated: Bool) -> Caller {
        var caller = self
        caller.isAuthenticated = isAuthenticated
        return caller
    }

    func queueURL(_ name: String) -> String { "\(baseURL)/\(account)/\(name)" }
    func queueARN(_ name: String) -> String { "arn:aws:sqs:\(region):\(account):\(name)" }
    func topicARN(_ name: String) -> String { "arn:aws:sns:\(region):\(account):\(name)" }
    func subscriptionARN(topic: String, id: String) -> String { "\(topicARN(topic)):\(id)" }

    /// The region in `Credential=KEY/DATE/REGION/SERVICE/aws4_request` of a signed request or of its query.
    static func region(inAuthorization header: String) -> String? {
        let name = "Credential=".utf8
        var rest = header.utf8[...]
        while !rest.starts(with: name) {
            guard rest.popFirst() != nil else { return nil }
        }
        let scope = Substring(
            rest.dropFirst(name.count).prefix {
                $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "&")
            })
        let parts = scope.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5 else { return nil }
        let region = Substring(parts[parts.count - 3])
        guard region.utf8.count <= 40, region.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") }) else {
            return nil
        }
        return String(region)
    }
}
