/// `ReceiveMessage`.
extension SQSOperations {
    struct ReceiveInput {
        let queueURL: String
        let maximum: Int?
        let visibilityTimeout: Int?
        let waitSeconds: Int?
        let attributeNames: [String]?
        let systemAttributeNames: [String]?
        let messageAttributeNames: [String]?
        let attempt: String?
    }

    func receiveMessage(_ input: ReceiveInput, _ caller: Caller) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let attributes = queue.record.attributes
        let maximum = input.maximum ?? 1
        guard 1...10 ~= maximum else {
            throw AWSError.invalidParameterValue(
                "Value \(maximum) for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
            )
        }
        if let wait = input.waitSeconds, !(0...20 ~= wait) {
            throw AWSError.invalidParameterValue(
                "Value \(wait) for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.")
        }
        if let timeout = input.visibilityTimeout { try checkVisibility(timeout) }
        if let attempt = input.attempt {
            guard attributes.isFIFO else { throw AWSError.notForThisType(attempt, "ReceiveRequestAttemptId") }
            try MessageText.checkToken(attempt, "ReceiveRequestAttemptId")
        }
        for name in (input.attributeNames ?? []) + (input.systemAttributeNames ?? []) {
            guard AttributeSelection.isSystem(name) || QueueAttributes.isKnown(name) else {
                throw AWSError.invalidAttributeName(name)
            }
        }
        let visibility = input.visibilityTimeout.map { Milliseconds($0) * 1000 } ?? attributes.visibilityTimeout
        let wait = input.waitSeconds.map { Milliseconds($0) * 1000 } ?? attributes.wait
        var deliveries: [QueueState.Delivery] = []
        if input.attempt == nil { deliveries = try await queue.receiveAtOnce(maximum: maximum, visibility: visibility) }
        if deliveries.isEmpty {
            deliveries = try await queue.receive(
                maximum: maximum, visibility: visibility, wait: wait, attempt: input.attempt)
        }
        let selection = AttributeSelection(
            system: Set((input.attributeNames ?? []) + (input.systemAttributeNames ?? [])),
            message: input.messageAttributeNames ?? [])
        let size = deliveries.reduce(256) { $0 + 512 + ($1.message.content?.size ?? 0) * 5 / 4 }
        var json = JSONWriter(capacity: size)
        json.object { json in
            guard !deliveries.isEmpty else { return }
            json.key("Messages")
            json.array(deliveries) { json, delivery in
                json.object { write(delivery, from: queue, selection, caller, to: &$0) }
            }
        }
        return json
    }

    private func write(
        _ delivery: QueueState.Delivery, from queue: MessageQueue, _ selection: AttributeSelection, _ caller: Caller,
        to json: inout JSONWriter
    ) {
        let message = delivery.message
        guard let content = message.content else { return }
        let (body, digest) = content.rendered(for: message.subscription)
        let handle = ReceiptHandle(
            queue: queue.name, sequence: message.sequence, messageID: message.messageID, receipt: delivery.receipt)
        json.member("MessageId", message.messageID)
        json.member("ReceiptHandle", handle.text)
        json.member("MD5OfBody", digest)
        json.member("Body", body)
        let system =
            selection.system.isEmpty
            ? []
            : systemAttributes(message, content, isFIFO: queue.record.attributes.isFIFO, caller)
                .filter { selection.wantsSystem($0.key) }
        if !system.isEmpty {
            json.key("Attributes")
            json.object(system) { json, name, value in json.member(name, value) }
        }
        if let chosen = selection.choose(from: content) {
            json.member("MD5OfMessageAttributes", chosen.digest)
            json.key("MessageAttributes")
            json.raw(chosen.json)
        }
    }

    private func systemAttributes(
        _ message: QueuedMessage, _ content: MessageContent, isFIFO: Bool, _ caller: Caller
    ) -> [(key: String, value: String)] {
        var attributes = [
            (key: "SenderId", value: content.sender),
            (key: "SentTimestamp", value: String(message.sentAt)),
            (key: "ApproximateReceiveCount", value: String(message.receiveCount)),
            (key: "ApproximateFirstReceiveTimestamp", value: String(message.firstReceivedAt ?? message.sentAt)),
        ]
        if let group = message.group { attributes.append((key: "MessageGroupId", value: group)) }
        if let id = message.deduplicationID { attributes.append((key: "MessageDeduplicationId", value: id)) }
        if isFIFO {
            let sent = BrokerStore.Sent(messageID: message.messageID, sequence: message.sequence)
            attributes.append((key: "SequenceNumber", value: sent.sequenceNumber))
        }
        if let trace = content.traceHeader { attributes.append((key: "AWSTraceHeader", value: trace)) }
        if let source = message.deadLetterSource {
            attributes.append((key: "DeadLetterQueueSourceArn", value: caller.queueARN(source)))
        }
        return attributes
    }
}

/// Which attributes of a message a receiver wants.
struct AttributeSelection: Sendable {
    let system: Set<String>
    /// The names of message attributes, and what comes before the `.*` of those that end so.
    private let names: Set<String>
    private let beginnings: Set<Substring>

    init(system: Set<String>, message: [String]) {
        self.system = system
        names = Set(message)
        beginnings = Set(message.lazy.filter { $0.hasSuffix(".*") }.map { $0.dropLast(2) })
    }

    /// Whether messages have an attribute of this name, or it is `All`.
    static func isSystem(_ name: String) -> Bool { systemNames.contains(name) }

    private static let systemNames: Set<String> = [
        "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
        "SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn",
    ]

    func wantsSystem(_ name: String) -> Bool { system.contains("All") || system.contains(name) }

    /// The chosen message attributes with their digest; `nil` if there are none.
    func choose(from content: MessageContent) -> (json: String, digest: String)? {
        guard let all = content.attributes, let digest = content.attributesDigest, !names.isEmpty else { return nil }
        if !names.isDisjoint(with: ["All", "*", ".*"]) { return (all, digest) }
        let chosen = (try? MessageAttribute.decode(all))?.filter { wantsMessage($0.key) } ?? [:]
        return Digest.md5(of: chosen).map { (MessageAttribute.encode(chosen), $0) }
    }

    /// By name, or by what comes before `.*`.
    private func wantsMessage(_ name: String) -> Bool {
        if names.contains(name) || beginnings.contains(name[...]) { return true }
        return !beginnings.isEmpty && name.indices.contains { beginnings.contains(name[..<$0]) }
    }
}
