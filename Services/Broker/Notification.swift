import Foundation

/// What is published to a topic.
struct Notification: Sendable {
    let messageID: String
    let message: String
    /// What subscribers of a kind get instead of the message, if it was published with a structure.
    var variants: [Subscription.Kind: String] = [:]
    let subject: String?
    let attributes: [String: MessageAttribute]
    var group: String?
    /// Of a FIFO topic.
    var deduplicationID: String?
    var sequenceNumber: String?
    /// The X-Ray header of the request, which the messages keep as their attribute `AWSTraceHeader`.
    var traceHeader: String?

    func message(for kind: Subscription.Kind) -> String { variants[kind] ?? message }

    /// The message as its body, with its attributes.
    func raw(for kind: Subscription.Kind, sender: String) -> MessageContent {
        MessageContent(body: message(for: kind), attributes: attributes, sender: sender, traceHeader: traceHeader)
    }

    /// The message in the JSON that a topic wraps it in. The id of the subscription, which ends the address to
    /// unsubscribe at, is left open, so that all subscribers share the text; the signature doesn't cover it. Those of a FIFO
    /// topic have none, as on Amazon.
    func enveloped(for kind: Subscription.Kind, topic: TopicEnvelope) throws -> MessageContent {
        let message = message(for: kind)
        let (arn, caller) = (topic.arn, topic.caller)
        let signed =
            [("Message", message), ("MessageId", messageID)] + (subject.map { [("Subject", $0)] } ?? []) + [
                ("Timestamp", topic.timestamp), ("TopicArn", arn), ("Type", EnvelopeType.notification.rawValue),
            ]
        let signature = sequenceNumber == nil ? try topic.sign(signed) : nil
        var json = JSONWriter(capacity: message.utf8.count + 1536)
        var hole = 0
        json.object { json in
            json.member("Type", EnvelopeType.notification.rawValue)
            json.member("MessageId", messageID)
            json.member("SequenceNumber", sequenceNumber)
            json.member("TopicArn", arn)
            json.member("Subject", subject)
            json.member("Message", message)
            json.member("Timestamp", topic.timestamp)
            if let signature { topic.writeSignature(signature, to: &json) }
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
        return MessageContent(
            body: json.text, attributes: [:], hole: hole, sender: caller.account, traceHeader: traceHeader)
    }
}

/// What an envelope is about: its first member, and a header of the request that delivers it.
enum EnvelopeType: String, Sendable {
    case notification = "Notification"
    case subscriptionConfirmation = "SubscriptionConfirmation"
    case unsubscribeConfirmation = "UnsubscribeConfirmation"

    /// The type of an envelope that the broker has written.
    init?(of envelope: String) {
        let start = #"{"Type":""#
        guard envelope.hasPrefix(start) else { return nil }
        self.init(rawValue: String(envelope.dropFirst(start.count).prefix { $0 != "\"" }))
    }
}

/// What the envelopes of one topic, written for one request, have in common. Reference: "Verifying the signatures of
/// Amazon SNS messages".
struct TopicEnvelope: Sendable {
    let topic: String
    let version: SigningIdentity.Version
    let identity: SigningIdentity
    let caller: Caller
    let timestamp: String

    init(
        topic: String, version: SigningIdentity.Version, identity: SigningIdentity, caller: Caller, now: Milliseconds
    ) {
        self.topic = topic
        self.version = version
        self.identity = identity
        self.caller = caller
        timestamp = Date(timeIntervalSince1970: Double(now) / 1000).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    var arn: String { caller.topicARN(topic) }

    /// Asks an endpoint to confirm a subscription, or tells it that one has ended.
    func confirmation(_ type: EnvelopeType, of subscription: Subscription, id: String) throws -> MessageContent {
        let token = subscription.consent.token ?? ""
        let url = "\(caller.baseURL)/?Action=ConfirmSubscription&TopicArn=\(arn)&Token=\(token)"
        let message =
            type == .subscriptionConfirmation
            ? "You have chosen to subscribe to the topic \(arn).\nTo confirm the subscription, visit the SubscribeURL included in this message."
            : "You have chosen to deactivate subscription \(arn):\(subscription.id).\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
        let signature = try sign([
            ("Message", message), ("MessageId", id), ("SubscribeURL", url), ("Timestamp", timestamp), ("Token", token),
            ("TopicArn", arn), ("Type", type.rawValue),
        ])
        var json = JSONWriter(capacity: 2048)
        json.object { json in
            json.member("Type", type.rawValue)
            json.member("MessageId", id)
            json.member("Token", token)
            json.member("TopicArn", arn)
            json.member("Message", message)
            json.member("SubscribeURL", url)
            json.member("Timestamp", timestamp)
            writeSignature(signature, to: &json)
        }
        return MessageContent(body: json.text, attributes: [:], sender: caller.account)
    }

    /// The string to sign has each name and each value in a line, in the order of the names.
    fileprivate func sign(_ members: [(name: String, value: String)]) throws -> String {
        try identity.sign(members.map { "\($0.name)\n\($0.value)\n" }.joined(), version)
    }

    fileprivate func writeSignature(_ signature: String, to json: inout JSONWriter) {
        json.member("SignatureVersion", version.rawValue)
        json.member("Signature", signature)
        json.member("SigningCertURL", caller.baseURL + identity.certificatePath)
    }
}
