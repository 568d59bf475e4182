import Foundation

/// The attributes that a client set on a queue, checked, and what they mean. Those not set have Amazon's defaults.
struct QueueAttributes: Sendable, Equatable {
    /// As they were set, by their names in the protocol.
    private(set) var values: [String: String] = [:]

    private struct Whole {
        let range: ClosedRange<Int>
        let standard: Int
    }

    private static let wholes: [String: Whole] = [
        "DelaySeconds": Whole(range: 0...900, standard: 0),
        "MaximumMessageSize": Whole(range: 1024...1_048_576, standard: 1_048_576),
        "MessageRetentionPeriod": Whole(range: 60...1_209_600, standard: 345_600),
        "ReceiveMessageWaitTimeSeconds": Whole(range: 0...20, standard: 0),
        "VisibilityTimeout": Whole(range: 0...43_200, standard: 30),
        "KmsDataKeyReusePeriodSeconds": Whole(range: 60...86_400, standard: 300),
    ]
    private static let texts: Set<String> = ["Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId"]
    private static let onlyFIFO: Set<String> = [
        "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
    ]
    /// What the broker counts or knows itself.
    static let computed: Set<String> = [
        "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
    ]

    init() {}

    init(stored values: [String: String]) { self.values = values }

    /// Checks what a client wants to set.
    init(checking values: [String: String]) throws(AWSError) {
        for (name, value) in values {
            if let whole = Self.wholes[name] {
                guard let number = Int(value), whole.range.contains(number) else {
                    throw .invalidAttributeValue(name)
                }
                self.values[name] = String(number)
            } else if Self.texts.contains(name) {
                if name == "RedrivePolicy", !value.isEmpty { _ = try RedrivePolicy(value) }
                self.values[name] = value
            } else if name == "SqsManagedSseEnabled" {
                guard ["true", "false"].contains(value.lowercased()) else { throw .invalidAttributeValue(name) }
                self.values[name] = value.lowercased()
            } else if name == "FifoQueue", value.lowercased() != "true" {
                throw .invalidAttributeValue(name)
            } else if Self.onlyFIFO.contains(name) {
                throw .unsupported("FIFO queues are not available in this version; create a standard queue.")
            } else {
                throw .invalidAttributeName(name)
            }
        }
    }

    /// Takes over what another set names. An empty text removes.
    func merging(_ other: QueueAttributes) -> QueueAttributes {
        var merged = self
        for (name, value) in other.values {
            merged.values[name] = value.isEmpty ? nil : value
        }
        return merged
    }

    /// The first attribute for which another set asks for something else, by name.
    func firstDifference(from wanted: QueueAttributes) -> String? {
        wanted.values.keys.sorted().first { name in
            if name == "RedrivePolicy" {
                let policy = wanted.values[name].flatMap { try? RedrivePolicy($0) }
                return policy != redrivePolicy
            }
            return self[name] != wanted.values[name]
        }
    }

    /// An attribute as a client sees it; `nil` if it has no value.
    subscript(name: String) -> String? {
        if let value = values[name] { return value }
        if name == "SqsManagedSseEnabled" { return values["KmsMasterKeyId"] == nil ? "true" : "false" }
        // The key's period means something only when there is a key.
        if name == "KmsDataKeyReusePeriodSeconds", values["KmsMasterKeyId"] == nil { return nil }
        return Self.wholes[name].map { String($0.standard) }
    }

    /// Whether there is an attribute of this name at all.
    static func isKnown(_ name: String) -> Bool {
        wholes[name] != nil || texts.contains(name) || onlyFIFO.contains(name) || computed.contains(name)
            || name == "SqsManagedSseEnabled"
    }

    static var settable: [String] { Array(wholes.keys) + Array(texts) + ["SqsManagedSseEnabled"] }

    var delay: Milliseconds { seconds("DelaySeconds") }
    var visibilityTimeout: Milliseconds { seconds("VisibilityTimeout") }
    var wait: Milliseconds { seconds("ReceiveMessageWaitTimeSeconds") }
    var retention: Milliseconds { seconds("MessageRetentionPeriod") }
    var maximumMessageSize: Int { Int(seconds("MaximumMessageSize") / 1000) }
    var redrivePolicy: RedrivePolicy? { values["RedrivePolicy"].flatMap { try? RedrivePolicy($0) } }

    private func seconds(_ name: String) -> Milliseconds { (self[name].flatMap { Milliseconds($0) } ?? 0) * 1000 }
}

/// Where messages go that could not be processed, and after how many receives.
struct RedrivePolicy: Sendable, Equatable {
    let queue: String
    let maxReceiveCount: Int

    /// Reads `{"deadLetterTargetArn": "…", "maxReceiveCount": 5}`; the count may be a string.
    init(_ json: String) throws(AWSError) {
        func invalid(_ reason: String) -> AWSError {
            .invalidParameterValue("Value \(json) for parameter RedrivePolicy is invalid. Reason: \(reason)")
        }
        guard let object = try? JSONDecoder().decode(JSONValue.self, from: Data(json.utf8)).object else {
            throw invalid("It must be a JSON object.")
        }
        guard case .string(let arn) = object["deadLetterTargetArn"], let name = ResourceName.queue(fromARN: arn) else {
            throw invalid("Invalid value for deadLetterTargetArn.")
        }
        let count: Int? =
            switch object["maxReceiveCount"] {
            case .number(let number): Int(exactly: number)
            case .string(let text): Int(text)
            case nil: 10
            default: nil
            }
        guard let count, 1...1000 ~= count else {
            throw invalid("Invalid value for maxReceiveCount: it must be from 1 to 1000.")
        }
        queue = name
        maxReceiveCount = count
    }
}
