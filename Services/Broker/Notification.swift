import Foundation

/// What is published to a topic.
struct Notification: Sendable {
    let messageID: String
    let message: String
    let subject: String?
    let attributes: [String: MessageAttribute]

    /// The message as its body, with its attributes.
    func raw(sender: String) -> MessageContent {
        MessageContent(body: message, attributes: attributes, sender: sender)
    }

    /// The message in the JSON that a topic wraps it in. The id of the subscription, which ends the address to
    /// unsubscribe at, is left open, so that all subscribers share the text.
    func enveloped(topic: String, at time: Milliseconds, caller: Caller) -> MessageContent {
        let date = Date(timeIntervalSince1970: Double(time) / 1000)
        let timestamp = date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let arn = caller.topicARN(topic)
        var json = JSONWriter(capacity: message.utf8.count + 1024)
        var hole = 0
        json.object { json in
            json.member("Type", "Notification")
            json.member("MessageId", messageID)
            json.member("TopicArn", arn)
            json.member("Subject", subject)
            json.member("Message", message)
            json.member("Timestamp", timestamp)
            json.member("UnsubscribeURL", "\(caller.baseURL)/?Action=Unsubscribe&SubscriptionArn=\(arn):")
            // Right before the quotation mark that was written last.
            hole = json.bytes.count - 1
            guard !attributes.isEmpty else { return }
            json.key("MessageAttributes")
            json.object(attributes.sorted { $0.key < $1.key }) { json, name, attribute in
                json.key(name)
                json.object { json in
                    json.member("Type", attribute.type)
                    switch attribute.value {
                    case .text(let text): json.member("Value", text)
                    case .binary(let data): json.member("Value", data.base64EncodedString())
                    }
                }
            }
        }
        return MessageContent(body: json.text, attributes: [:], hole: hole, sender: caller.account)
    }
}

/// A queue's subscription of a topic.
struct Subscription: Sendable {
    let id: String
    let topic: String
    /// The ARN of the queue, as the subscriber gave it.
    let endpoint: String
    /// As they were set.
    let attributes: [String: String]

    let queue: String
    let filter: FilterPolicy?
    let isRaw: Bool

    static let protocolName = "sqs"

    init(id: String, topic: String, endpoint: String, attributes: [String: String]) throws(AWSError) {
        guard let queue = ResourceName.queue(fromARN: endpoint) else { throw .invalidParameter("SQS endpoint ARN") }
        try Self.check(attributes)
        self.id = id
        self.topic = topic
        self.endpoint = endpoint
        self.attributes = attributes
        self.queue = queue
        let scope = attributes["FilterPolicyScope"].flatMap(FilterPolicy.Scope.init) ?? .attributes
        if let policy = attributes["FilterPolicy"], !policy.isEmpty, policy != "{}" {
            filter = try FilterPolicy(policy, scope: scope)
        } else {
            filter = nil
        }
        isRaw = attributes["RawMessageDelivery"] == "true"
    }

    func wants(_ notification: Notification) -> Bool {
        filter?.matches(body: notification.message, attributes: notification.attributes) ?? true
    }

    /// Whether all that another one asks for is so here, however its policy is spelled.
    func grants(_ wanted: Subscription) -> Bool {
        wanted.attributes.allSatisfy { name, value in
            switch name {
            case "FilterPolicy": filter?.condition == wanted.filter?.condition
            case "FilterPolicyScope": attributes[name] ?? FilterPolicy.Scope.attributes.rawValue == value
            case "RawMessageDelivery": isRaw == wanted.isRaw
            default: attributes[name] == value
            }
        }
    }

    private static func check(_ attributes: [String: String]) throws(AWSError) {
        for (name, value) in attributes {
            switch name {
            case "RawMessageDelivery":
                guard value == "true" || value == "false" else {
                    throw .invalidParameter(
                        "Attributes Reason: RawMessageDelivery: Invalid value [\(value)]. Must be true or false.")
                }
            case "FilterPolicyScope":
                guard FilterPolicy.Scope(rawValue: value) != nil else {
                    throw .invalidParameter(
                        "FilterPolicyScope: Invalid value [\(value)]. Please use either MessageBody or MessageAttributes"
                    )
                }
            case "FilterPolicy", "DeliveryPolicy", "RedrivePolicy", "SubscriptionRoleArn": break
            default: throw .invalidParameter("AttributeName")
            }
        }
    }
}
