import Foundation

/// The attributes of a topic that can be set, checked, and what follows from them.
struct TopicAttributes: Sendable {
    /// As they were set.
    let values: [String: String]
    let deliveryPolicy: TopicDeliveryPolicy
    let signatureVersion: SigningIdentity.Version

    var isFIFO: Bool { values["FifoTopic"]?.lowercased() == "true" }
    var deduplicatesByContent: Bool { isFIFO && values["ContentBasedDeduplication"]?.lowercased() == "true" }
    /// Whether deduplication ids count for each group by itself.
    var deduplicatesByGroup: Bool { values["FifoThroughputScope"] == "MessageGroup" }

    private static let onlyFIFO = ["ContentBasedDeduplication", "FifoThroughputScope"]

    private static let settable: Set<String> = {
        let feedback = ["Application", "Firehose", "HTTP", "Lambda", "SQS"].flatMap { kind in
            ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"].map { kind + $0 }
        }
        return Set(
            feedback + [
                "DeliveryPolicy", "DisplayName", "KmsMasterKeyId", "Policy", "SignatureVersion", "TracingConfig",
            ])
    }()

    /// - Throws: `InvalidParameter` with what is wrong.
    init(_ values: [String: String]) throws(AWSError) {
        for (name, value) in values.sorted(by: { $0.key < $1.key }) { try Self.check(name, value) }
        if values["FifoTopic"]?.lowercased() != "true",
            let name = Self.onlyFIFO.first(where: { values[$0].map { !$0.isEmpty } ?? false })
        {
            throw .invalidParameter("\(name) can only be set for FIFO topics")
        }
        self.values = values
        deliveryPolicy =
            if let json = values["DeliveryPolicy"], !json.isEmpty { try TopicDeliveryPolicy(json) } else { .standard }
        signatureVersion = values["SignatureVersion"].flatMap(SigningIdentity.Version.init) ?? .sha1
    }

    /// With one of them changed; an empty value takes most of them away.
    func setting(_ name: String, to value: String) throws(AWSError) -> TopicAttributes {
        guard name != "FifoTopic" else { throw .invalidParameter("AttributeName") }
        var values = values
        values[name] = value.isEmpty && name != "DisplayName" ? nil : value
        if value.isEmpty { try Self.check(name, value) }
        return try TopicAttributes(values)
    }

    private static func check(_ name: String, _ value: String) throws(AWSError) {
        switch name {
        case "FifoTopic", "ContentBasedDeduplication":
            guard ["true", "false", ""].contains(value.lowercased()) else {
                throw .invalidParameter("\(name): it must be true or false")
            }
        case "FifoThroughputScope":
            guard ["Topic", "MessageGroup", ""].contains(value) else {
                throw .invalidParameter("FifoThroughputScope: it must be Topic or MessageGroup")
            }
        case "DisplayName":
            guard value.unicodeScalars.count <= 100, !value.contains(where: \.isNewline) else {
                throw .invalidParameter("DisplayName: it may be up to 100 characters long, in one line")
            }
        case "SignatureVersion":
            guard SigningIdentity.Version(rawValue: value) != nil || value.isEmpty else {
                throw .invalidParameter("SignatureVersion: it must be 1 or 2")
            }
        case "TracingConfig":
            guard ["PassThrough", "Active", ""].contains(value) else {
                throw .invalidParameter("TracingConfig: it must be PassThrough or Active")
            }
        case "Policy":
            guard value.isEmpty || (try? JSONValue(parsing: value))?.object != nil else {
                throw .invalidParameter("Policy Error: null")
            }
            guard value.utf8.count <= AccessPolicy.largest else {
                throw .invalidParameter("Policy Error: it is larger than \(AccessPolicy.largest) bytes")
            }
        case _ where name.hasSuffix("SuccessFeedbackSampleRate") && settable.contains(name):
            guard value.isEmpty || Int(value).map({ 0...100 ~= $0 }) == true else {
                throw .invalidParameter("\(name): it must be from 0 to 100")
            }
        default:
            guard settable.contains(name) else { throw .invalidParameter("AttributeName") }
        }
    }

    /// Whether all that a request asks for is so here.
    func grant(_ wanted: TopicAttributes) -> Bool {
        wanted.values.allSatisfy { name, value in
            if name == "FifoTopic" || name == "ContentBasedDeduplication" {
                return values[name]?.lowercased() ?? "false" == value.lowercased()
            }
            return values[name] ?? "" == value
        }
    }

    /// All that `GetTopicAttributes` tells, but for the counts of subscriptions.
    func described(topic: String, for caller: Caller) -> [String: String] {
        let arn = caller.topicARN(topic)
        let standard = [
            "TopicArn": arn, "Owner": caller.account, "DisplayName": "",
            "Policy": Self.standardPolicy(arn: arn, owner: caller.account),
            "EffectiveDeliveryPolicy": deliveryPolicy.json,
        ]
        guard isFIFO else { return standard.merging(values.filter { $0.key != "FifoTopic" }) { $1 } }
        let fifo = ["FifoTopic": "true", "ContentBasedDeduplication": deduplicatesByContent ? "true" : "false"]
        return standard.merging(values) { $1 }.merging(fifo) { $1 }
    }

    /// Who owns the topic may do everything with it. It is shown and not enforced: who may come in may do all.
    static func standardPolicy(arn: String, owner: String) -> String {
        let actions = [
            "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
            "ListSubscriptionsByTopic", "Publish",
        ]
        var json = JSONWriter()
        json.object { json in
            json.member("Version", "2008-10-17")
            json.member("Id", "__default_policy_ID")
            json.key("Statement")
            json.array([arn]) { json, arn in
                json.object { json in
                    json.member("Sid", "__default_statement_ID")
                    json.member("Effect", "Allow")
                    json.key("Principal")
                    json.object { $0.member("AWS", "*") }
                    json.key("Action")
                    json.array(actions) { $0.string("SNS:\($1)") }
                    json.member("Resource", arn)
                    json.key("Condition")
                    json.object { json in
                        json.key("StringEquals")
                        json.object { $0.member("AWS:SourceOwner", owner) }
                    }
                }
            }
        }
        return json.text
    }
}
