/// `Publish` and `PublishBatch`.
extension SNSOperations {
    /// The message with its attributes; SNS counts no more than this against the limit.
    private static let mostBytes = 262_144

    func publish(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        if form["PhoneNumber"] != nil {
            throw AWSError.invalidParameter("PhoneNumber Reason: Text messages are not available; publish to a topic.")
        }
        let topic = try topics.get(ResourceName.topic(fromARN: form["TopicArn"] ?? form.required("TargetArn")))
        let ids = MessageIDs()
        let notification = try notification(form, id: ids.id(0), topic.attributes, caller)
        guard Self.size(notification) <= Self.mostBytes else { throw AWSError.invalidParameter("Message too long") }
        let sent = try await publish([notification], ids: ids, to: topic, caller)
        xml.element("MessageId", sent[0].messageID)
        if let number = sent[0].sequenceNumber { xml.element("SequenceNumber", number) }
    }

    /// What a notification is answered with.
    private typealias Receipt = (messageID: String, sequenceNumber: String?)

    private func publish(
        _ notifications: [Notification], ids: MessageIDs, to topic: Topics.Topic, _ caller: Caller
    ) async throws -> [Receipt] {
        let isFIFO = topic.attributes.isFIFO
        guard isFIFO || notifications.contains(where: { $0.group != nil }) else {
            try await topics.publish(notifications, ids: ids, to: topic, caller: caller)
            return notifications.map { ($0.messageID, nil) }
        }
        return try await topics.publishInGroups(notifications, to: topic, caller: caller).map { sent in
            (sent.messageID, isFIFO ? sent.sequenceNumber : nil)
        }
    }

    /// A message that can't be published fails the batch, as it does on Amazon.
    func publishBatch(_ form: FormParameters, _ caller: Caller, _ xml: inout XMLWriter) async throws {
        let topic = try topics.get(ResourceName.topic(fromARN: form.required("TopicArn")))
        let entries = form.items("PublishBatchRequestEntries")
        try check(entries.map { $0["Id"] ?? "" })
        let ids = MessageIDs()
        let notifications = try entries.enumerated().map { index, entry in
            try notification(entry, id: ids.id(index), topic.attributes, caller)
        }
        guard notifications.reduce(0, { $0 + Self.size($1) }) <= Self.mostBytes else {
            throw AWSError(
                code: "BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
        }
        let sent = try await publish(notifications, ids: ids, to: topic, caller)
        xml.members("Successful", Array(zip(entries, sent))) { xml, entry in
            xml.element("Id", entry.0["Id"] ?? "")
            xml.element("MessageId", entry.1.messageID)
            if let number = entry.1.sequenceNumber { xml.element("SequenceNumber", number) }
        }
        xml.members("Failed", [String]()) { _, _ in }
    }

    /// SNS has the rules of SQS with names and words of its own.
    private func check(_ ids: [String]) throws(AWSError) {
        do throws(AWSError) {
            try BatchRules.check(ids)
        } catch {
            switch error.shape {
            case "EmptyBatchRequest":
                throw AWSError(code: error.shape, "The batch request doesn't contain any entries.")
            case "TooManyEntriesInBatchRequest":
                throw AWSError(code: error.shape, "The batch request contains more entries than permissible.")
            case "BatchEntryIdsNotDistinct":
                throw AWSError(code: error.shape, "Two or more batch entries in the request have the same Id.")
            default:
                throw AWSError(
                    code: error.shape,
                    "The Id of a batch entry in a batch request doesn't abide by the specification.")
            }
        }
    }

    private func notification(
        _ form: FormParameters, id: String, _ topic: TopicAttributes, _ caller: Caller
    ) throws(AWSError) -> Notification {
        guard let message = form["Message"], !message.isEmpty else { throw .invalidParameter("Empty message") }
        if let subject = form["Subject"] { try Self.check(subject: subject) }
        try MessageText.check(message, "the message")
        let attributes: [String: MessageAttribute]
        do {
            attributes = try form.messageAttributes()
        } catch  where error.code == "InvalidParameterValue" {
            throw AWSError(code: "ParameterValueInvalid", error.message)
        }
        let texts = try texts(message, structure: form["MessageStructure"])
        return Notification(
            messageID: id, message: texts.standard, variants: texts.variants, subject: form["Subject"],
            attributes: attributes, group: try group(form, topic),
            deduplicationID: try deduplicationID(form, message, topic), traceHeader: caller.traceHeader)
    }

    private func group(_ form: FormParameters, _ topic: TopicAttributes) throws(AWSError) -> String? {
        guard let group = form["MessageGroupId"] else {
            if topic.isFIFO { throw .invalidParameter("The MessageGroupId parameter is required for FIFO topics") }
            return nil
        }
        try Self.checkToken(group, "MessageGroupId")
        return group
    }

    private func deduplicationID(
        _ form: FormParameters, _ message: String, _ topic: TopicAttributes
    ) throws(AWSError) -> String? {
        if let id = form["MessageDeduplicationId"] {
            guard topic.isFIFO else {
                throw .invalidParameter(
                    "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type"
                )
            }
            try Self.checkToken(id, "MessageDeduplicationId")
            return id
        }
        guard topic.isFIFO else { return nil }
        guard topic.deduplicatesByContent else {
            throw .invalidParameter(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
            )
        }
        return Digest.sha256(of: message)
    }

    private static func checkToken(_ text: String, _ parameter: String) throws(AWSError) {
        do {
            try MessageText.checkToken(text, parameter)
        } catch {
            throw .invalidParameter(
                "\(parameter) Reason: it must be 1 to 128 letters, digits and punctuation characters")
        }
    }

    /// Up to 100 characters in one line.
    private static func check(subject: String) throws(AWSError) {
        let scalars = subject.unicodeScalars
        guard 1...100 ~= scalars.count, scalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw .invalidParameter("Subject")
        }
    }

    /// The message, or with `json` as its structure the text for each kind of subscriber and the one for all others.
    private func texts(
        _ message: String, structure: String?
    ) throws(AWSError) -> (standard: String, variants: [Subscription.Kind: String]) {
        guard let structure, !structure.isEmpty else { return (message, [:]) }
        guard structure == "json" else {
            throw .invalidParameter("MessageStructure Reason: it must be json, not \(structure.prefix(40))")
        }
        guard let texts = (try? JSONValue(parsing: message))?.object else {
            throw .invalidParameter("Message Structure - JSON message body failed to parse")
        }
        guard let standard = texts["default"]?.string else {
            throw .invalidParameter("Message Structure - No default entry in JSON message body")
        }
        var variants: [Subscription.Kind: String] = [:]
        for (name, text) in texts {
            if let kind = Subscription.Kind(rawValue: name), let text = text.string { variants[kind] = text }
        }
        return (standard, variants)
    }

    private static func size(_ notification: Notification) -> Int {
        let text = ([notification.message] + notification.variants.values).map(\.utf8.count).max() ?? 0
        return notification.attributes.reduce(text) { $0 + $1.key.utf8.count + $1.value.size }
    }
}
