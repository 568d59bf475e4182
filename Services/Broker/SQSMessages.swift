import Foundation

// MARK: Sending

extension SQSOperations {
    /// A message as `SendMessage` and the entries of `SendMessageBatch` give it.
    struct MessageInput: Decodable {
        let id: String?
        let body: String
        let delaySeconds: Int?
        let attributes: [String: MessageAttribute]?
        let systemAttributes: [String: MessageAttribute]?
        let deduplicationID: String?

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case body = "MessageBody"
            case delaySeconds = "DelaySeconds"
            case attributes = "MessageAttributes"
            case systemAttributes = "MessageSystemAttributes"
            case deduplicationID = "MessageDeduplicationId"
        }

        /// What counts towards the limits.
        var size: Int {
            (attributes ?? [:]).reduce(body.utf8.count) { $0 + $1.key.utf8.count + $1.value.size }
        }
    }

    struct SendMessageInput: Decodable {
        let queueURL: String
        let message: MessageInput

        init(from decoder: any Decoder) throws {
            queueURL = try QueueInput(from: decoder).queueURL
            message = try MessageInput(from: decoder)
        }
    }

    struct BatchInput<Entry: Decodable>: Decodable {
        let queueURL: String
        let entries: [Entry]

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case entries = "Entries"
        }
    }

    func sendMessage(_ input: SendMessageInput, _ caller: Caller) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let message = try outgoing(input.message, queue.record.attributes, caller)
        let ids = try await queue.send([message])
        var json = JSONWriter()
        json.object { writeSent(&$0, message.content, input.message, ids[0]) }
        return json
    }

    func sendMessageBatch(_ input: BatchInput<MessageInput>, _ caller: Caller) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let attributes = queue.record.attributes
        try BatchRules.check(input.entries.map { $0.id ?? "" })
        let total = input.entries.reduce(0) { $0 + $1.size }
        guard total <= BatchRules.mostBytes else { throw AWSError.batchTooLong(total, limit: BatchRules.mostBytes) }
        var accepted: [(entry: MessageInput, message: MessageQueue.Outgoing)] = []
        var failed: [BatchRules.Failure] = []
        for entry in input.entries {
            do throws(AWSError) {
                accepted.append((entry, try outgoing(entry, attributes, caller)))
            } catch {
                failed.append(BatchRules.Failure(id: entry.id ?? "", error: error))
            }
        }
        let ids = accepted.isEmpty ? [] : try await queue.send(accepted.map(\.message))
        var json = JSONWriter()
        json.object { json in
            json.key("Successful")
            json.array(zip(accepted, ids)) { json, sent in
                json.object { json in
                    json.member("Id", sent.0.entry.id)
                    writeSent(&json, sent.0.message.content, sent.0.entry, sent.1)
                }
            }
            BatchRules.write(failed, to: &json)
        }
        return json
    }

    private func writeSent(_ json: inout JSONWriter, _ content: MessageContent, _ input: MessageInput, _ id: String) {
        json.member("MessageId", id)
        json.member("MD5OfMessageBody", content.bodyDigest)
        json.member("MD5OfMessageAttributes", content.attributesDigest)
        json.member("MD5OfMessageSystemAttributes", Digest.md5(of: input.systemAttributes ?? [:]))
    }

    /// Checks a message against the limits of its queue.
    private func outgoing(
        _ input: MessageInput, _ queue: QueueAttributes, _ caller: Caller
    ) throws(AWSError) -> MessageQueue.Outgoing {
        guard !input.body.isEmpty else { throw .missingParameter("MessageBody") }
        try MessageText.check(input.body, "the message body")
        guard input.size <= queue.maximumMessageSize else {
            throw .invalidParameterValue(
                "One or more parameters are invalid. Reason: Message must be shorter than \(queue.maximumMessageSize) bytes."
            )
        }
        let attributes = input.attributes ?? [:]
        guard attributes.count <= 10 else {
            throw .invalidParameterValue(
                "Number of message attributes [\(attributes.count)] exceeds the allowed maximum [10].")
        }
        for (name, attribute) in attributes {
            if case .text(let text) = attribute.value { try MessageText.check(text, "the attribute '\(name)'") }
        }
        if let delay = input.delaySeconds, !(0...900 ~= delay) {
            throw .invalidParameterValue(
                "Value \(delay) for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
        }
        if input.deduplicationID != nil {
            throw .invalidParameterValue(
                "Value \(input.deduplicationID ?? "") for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type."
            )
        }
        var trace: String?
        if case .text(let text) = input.systemAttributes?["AWSTraceHeader"]?.value { trace = text }
        let content = MessageContent(
            body: input.body, attributes: attributes, sender: caller.account, traceHeader: trace)
        return MessageQueue.Outgoing(
            content: content, delay: input.delaySeconds.map { Milliseconds($0) * 1000 } ?? queue.delay)
    }
}

// MARK: Receiving

extension SQSOperations {
    struct ReceiveInput: Decodable {
        let queueURL: String
        let maximum: Int?
        let visibilityTimeout: Int?
        let waitSeconds: Int?
        let attributeNames: [String]?
        let systemAttributeNames: [String]?
        let messageAttributeNames: [String]?

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case maximum = "MaxNumberOfMessages"
            case visibilityTimeout = "VisibilityTimeout"
            case waitSeconds = "WaitTimeSeconds"
            case attributeNames = "AttributeNames"
            case systemAttributeNames = "MessageSystemAttributeNames"
            case messageAttributeNames = "MessageAttributeNames"
        }
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
        let deliveries = try await queue.receive(
            maximum: maximum,
            visibility: input.visibilityTimeout.map { Milliseconds($0) * 1000 } ?? attributes.visibilityTimeout,
            wait: input.waitSeconds.map { Milliseconds($0) * 1000 } ?? attributes.wait)
        let selection = AttributeSelection(
            system: Set((input.attributeNames ?? []) + (input.systemAttributeNames ?? [])),
            message: input.messageAttributeNames ?? [])
        var json = JSONWriter(capacity: 1024 * deliveries.count)
        json.object { json in
            guard !deliveries.isEmpty else { return }
            json.key("Messages")
            json.array(deliveries) { json, delivery in
                json.object { write(delivery, from: queue.name, selection, caller, to: &$0) }
            }
        }
        return json
    }

    private func write(
        _ delivery: QueueState.Delivery, from queue: String, _ selection: AttributeSelection, _ caller: Caller,
        to json: inout JSONWriter
    ) {
        let message = delivery.message
        guard let content = message.content else { return }
        let (body, digest) = content.rendered(for: message.subscription)
        let handle = ReceiptHandle(
            queue: queue, sequence: message.sequence, messageID: message.messageID, receipt: delivery.receipt)
        json.member("MessageId", message.messageID)
        json.member("ReceiptHandle", handle.text)
        json.member("MD5OfBody", digest)
        json.member("Body", body)
        let system = systemAttributes(message, content, caller).filter { selection.wantsSystem($0.key) }
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
        _ message: QueuedMessage, _ content: MessageContent, _ caller: Caller
    ) -> [(key: String, value: String)] {
        var attributes = [
            (key: "SenderId", value: content.sender),
            (key: "SentTimestamp", value: String(message.sentAt)),
            (key: "ApproximateReceiveCount", value: String(message.receiveCount)),
            (key: "ApproximateFirstReceiveTimestamp", value: String(message.firstReceivedAt ?? message.sentAt)),
        ]
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
    let message: [String]

    func wantsSystem(_ name: String) -> Bool { system.contains("All") || system.contains(name) }

    /// The chosen message attributes with their digest; `nil` if there are none.
    func choose(from content: MessageContent) -> (json: String, digest: String)? {
        guard let all = content.attributes, let digest = content.attributesDigest, !message.isEmpty else { return nil }
        if message.contains("All") || message.contains(".*") { return (all, digest) }
        let chosen = (try? MessageAttribute.decode(all))?.filter { wantsMessage($0.key) } ?? [:]
        return Digest.md5(of: chosen).map { (MessageAttribute.encode(chosen), $0) }
    }

    /// By name, or by what comes before `.*`.
    private func wantsMessage(_ name: String) -> Bool {
        message.contains { $0 == name || ($0.hasSuffix(".*") && name.hasPrefix($0.dropLast(2))) }
    }
}

// MARK: Deleting and changing visibility

extension SQSOperations {
    struct DeleteInput: Decodable {
        let queueURL: String
        let handle: String

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case handle = "ReceiptHandle"
        }
    }

    struct HandleEntry: Decodable {
        let id: String
        let handle: String

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case handle = "ReceiptHandle"
        }
    }

    struct VisibilityInput: Decodable {
        let queueURL: String
        let handle: String
        let timeout: Int

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case handle = "ReceiptHandle"
            case timeout = "VisibilityTimeout"
        }
    }

    struct VisibilityEntry: Decodable {
        let id: String
        let handle: String
        let timeout: Int?

        enum CodingKeys: String, CodingKey {
            case id = "Id"
            case handle = "ReceiptHandle"
            case timeout = "VisibilityTimeout"
        }
    }

    func deleteMessage(_ input: DeleteInput) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        try await queue.delete([ReceiptHandle(input.handle, queue: queue.name)])
        return .emptyObject
    }

    func deleteMessageBatch(_ input: BatchInput<HandleEntry>) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        try BatchRules.check(input.entries.map(\.id))
        var handles: [(id: String, handle: ReceiptHandle)] = []
        var failed: [BatchRules.Failure] = []
        for entry in input.entries {
            do throws(AWSError) {
                handles.append((entry.id, try ReceiptHandle(entry.handle, queue: queue.name)))
            } catch {
                failed.append(BatchRules.Failure(id: entry.id, error: error))
            }
        }
        try await queue.delete(handles.map(\.handle))
        return BatchRules.answer(handles.map(\.id), failed)
    }

    func changeVisibility(_ input: VisibilityInput) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        try checkVisibility(input.timeout)
        let request = MessageQueue.VisibilityRequest(
            handle: try ReceiptHandle(input.handle, queue: queue.name), timeout: Milliseconds(input.timeout) * 1000)
        if let error = try await queue.changeVisibility([request]).first ?? nil { throw error }
        return .emptyObject
    }

    func changeVisibilityBatch(_ input: BatchInput<VisibilityEntry>) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        try BatchRules.check(input.entries.map(\.id))
        var requests: [(id: String, request: MessageQueue.VisibilityRequest)] = []
        var failed: [BatchRules.Failure] = []
        for entry in input.entries {
            do throws(AWSError) {
                guard let timeout = entry.timeout else { throw .missingParameter("VisibilityTimeout") }
                try checkVisibility(timeout)
                let handle = try ReceiptHandle(entry.handle, queue: queue.name)
                requests.append((entry.id, .init(handle: handle, timeout: Milliseconds(timeout) * 1000)))
            } catch {
                failed.append(BatchRules.Failure(id: entry.id, error: error))
            }
        }
        var successful: [String] = []
        for (entry, error) in zip(requests, try await queue.changeVisibility(requests.map(\.request))) {
            if let error {
                failed.append(BatchRules.Failure(id: entry.id, error: error))
            } else {
                successful.append(entry.id)
            }
        }
        return BatchRules.answer(successful, failed)
    }

    private func checkVisibility(_ seconds: Int) throws(AWSError) {
        guard 0...43_200 ~= seconds else {
            throw .invalidParameterValue(
                "Value \(seconds) for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200"
            )
        }
    }
}
