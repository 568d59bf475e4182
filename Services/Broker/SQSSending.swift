/// `SendMessage` and `SendMessageBatch`.
extension SQSOperations {
    /// A message as `SendMessage` and the entries of `SendMessageBatch` give it.
    struct MessageInput {
        let id: String?
        let body: String
        let delaySeconds: Int?
        let attributes: [String: MessageAttribute]?
        let systemAttributes: [String: MessageAttribute]?
        let deduplicationID: String?
        let group: String?

        /// What counts towards the limits.
        var size: Int {
            (attributes ?? [:]).reduce(body.utf8.count) { $0 + $1.key.utf8.count + $1.value.size }
        }
    }

    struct SendMessageInput {
        let queueURL: String
        let message: MessageInput
    }

    struct BatchInput<Entry: Sendable>: Sendable {
        let queueURL: String
        let entries: [Entry]
    }

    func sendMessage(_ input: SendMessageInput, _ caller: Caller) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let message = try outgoing(input.message, queue.record.attributes, caller)
        let sent = try await queue.send([message])
        var json = JSONWriter()
        json.object { writeSent(&$0, message, input.message, sent[0], isFIFO: queue.record.attributes.isFIFO) }
        return json
    }

    func sendMessageBatch(_ input: BatchInput<MessageInput>, _ caller: Caller) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let attributes = queue.record.attributes
        try BatchRules.check(input.entries.map { $0.id ?? "" })
        let total = input.entries.reduce(0) { $0 + $1.size }
        guard total <= BatchRules.mostBytes else { throw AWSError.batchTooLong(total, limit: BatchRules.mostBytes) }
        if attributes.isFIFO { for entry in input.entries { try checkIDs(entry, attributes) } }
        var accepted: [(entry: MessageInput, message: MessageQueue.Outgoing)] = []
        var failed: [BatchRules.Failure] = []
        for entry in input.entries {
            do throws(AWSError) {
                accepted.append((entry, try outgoing(entry, attributes, caller)))
            } catch {
                failed.append(BatchRules.Failure(id: entry.id ?? "", error: error))
            }
        }
        let results = accepted.isEmpty ? [] : try await queue.send(accepted.map(\.message))
        var json = JSONWriter()
        json.object { json in
            json.key("Successful")
            json.array(zip(accepted, results)) { json, sent in
                json.object { json in
                    json.member("Id", sent.0.entry.id)
                    writeSent(&json, sent.0.message, sent.0.entry, sent.1, isFIFO: attributes.isFIFO)
                }
            }
            BatchRules.write(failed, to: &json)
        }
        return json
    }

    private func writeSent(
        _ json: inout JSONWriter, _ message: MessageQueue.Outgoing, _ input: MessageInput, _ sent: BrokerStore.Sent,
        isFIFO: Bool
    ) {
        json.member("MessageId", sent.messageID)
        json.member("MD5OfMessageBody", message.content.bodyDigest)
        json.member("MD5OfMessageAttributes", message.content.attributesDigest)
        json.member("MD5OfMessageSystemAttributes", Digest.md5(of: input.systemAttributes ?? [:]))
        if isFIFO { json.member("SequenceNumber", sent.sequenceNumber) }
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
            guard case .text(let text) = attribute.value else { continue }
            do {
                try MessageText.check(text, "the attribute '\(name)'")
            } catch {
                throw .invalidParameterValue(error.message)
            }
        }
        if let delay = input.delaySeconds, !(0...900 ~= delay) {
            throw .invalidParameterValue(
                "Value \(delay) for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.")
        }
        if queue.isFIFO, let delay = input.delaySeconds, delay > 0 {
            throw .notForThisType(String(delay), "DelaySeconds")
        }
        let content = MessageContent(
            body: input.body, attributes: attributes, sender: caller.account,
            traceHeader: try traceHeader(input.systemAttributes ?? [:]) ?? caller.traceHeader)
        let isDelayedByItself = input.delaySeconds != nil && !queue.isFIFO
        return MessageQueue.Outgoing(
            content: content,
            delay: isDelayedByItself ? Milliseconds(input.delaySeconds ?? 0) * 1000 : queue.delay,
            group: try group(input, queue), deduplicationID: try deduplicationID(input, queue))
    }

    /// The one system attribute that there is.
    private func traceHeader(_ attributes: [String: MessageAttribute]) throws(AWSError) -> String? {
        var trace: String?
        for (name, attribute) in attributes {
            guard name == "AWSTraceHeader", case .text(let text) = attribute.value, attribute.type == "String" else {
                throw .invalidParameterValue(
                    "Message system attribute name '\(name.prefix(300))' is invalid: there is AWSTraceHeader, of the type String."
                )
            }
            trace = text
        }
        return trace
    }

    /// One message without what a FIFO queue needs fails its whole batch, as on Amazon.
    private func checkIDs(_ input: MessageInput, _ queue: QueueAttributes) throws(AWSError) {
        guard input.group != nil else {
            throw .invalidParameterValue("The request must contain the parameter MessageGroupId.")
        }
        guard input.deduplicationID != nil || queue.deduplicatesByContent else { throw .noDeduplicationID }
    }

    private func group(_ input: MessageInput, _ queue: QueueAttributes) throws(AWSError) -> String? {
        if let group = input.group {
            try MessageText.checkToken(group, "MessageGroupId")
        } else if queue.isFIFO {
            throw .missingParameter("MessageGroupId")
        }
        return input.group
    }

    /// The deduplication id as it was given, or that of the body's content.
    private func deduplicationID(_ input: MessageInput, _ queue: QueueAttributes) throws(AWSError) -> String? {
        if let id = input.deduplicationID {
            guard queue.isFIFO else { throw .notForThisType(id, "MessageDeduplicationId") }
            try MessageText.checkToken(id, "MessageDeduplicationId")
            return id
        }
        guard queue.isFIFO else { return nil }
        guard queue.deduplicatesByContent else { throw .noDeduplicationID }
        return Digest.sha256(of: input.body)
    }
}

extension SQSOperations.BatchInput: Decodable where Entry: Decodable {
    enum CodingKeys: String, CodingKey {
        case queueURL = "QueueUrl"
        case entries = "Entries"
    }
}
