import Foundation

/// Amazon SQS in AWS JSON 1.0: one table from the name of an operation to what it does.
struct SQSOperations: Sendable {
    let queues: Queues
    let moves: MoveTasks

    /// Takes the body of a request and returns that of the answer.
    typealias Handler = @Sendable (SQSOperations, Data, Caller) async throws -> [UInt8]

    static let targetPrefix = "AmazonSQS."

    static let table: [String: Handler] = [
        "AddPermission": operation { try await $0.addPermission($1, $2) },
        "CancelMessageMoveTask": operation { sqs, input, _ in try await sqs.cancelMoveTask(input) },
        "ChangeMessageVisibility": operation { sqs, input, _ in try await sqs.changeVisibility(input) },
        "ChangeMessageVisibilityBatch": operation { sqs, input, _ in try await sqs.changeVisibilityBatch(input) },
        "CreateQueue": operation { try await $0.createQueue($1, $2) },
        "DeleteMessage": frequent { sqs, input, _ in try await sqs.deleteMessage(input) },
        "DeleteMessageBatch": frequent { sqs, input, _ in try await sqs.deleteMessageBatch(input) },
        "DeleteQueue": operation { sqs, input, _ in try await sqs.deleteQueue(input) },
        "GetQueueAttributes": operation { try $0.getQueueAttributes($1, $2) },
        "GetQueueUrl": operation { try $0.getQueueURL($1, $2) },
        "ListDeadLetterSourceQueues": operation { try $0.listDeadLetterSourceQueues($1, $2) },
        "ListMessageMoveTasks": operation { try await $0.listMoveTasks($1, $2) },
        "ListQueueTags": operation { sqs, input, _ in try sqs.listQueueTags(input) },
        "ListQueues": operation { try $0.listQueues($1, $2) },
        "PurgeQueue": operation { sqs, input, _ in try await sqs.purgeQueue(input) },
        "ReceiveMessage": frequent { try await $0.receiveMessage($1, $2) },
        "RemovePermission": operation { try await $0.removePermission($1, $2) },
        "SendMessage": frequent { try await $0.sendMessage($1, $2) },
        "SendMessageBatch": frequent { try await $0.sendMessageBatch($1, $2) },
        "SetQueueAttributes": operation { sqs, input, _ in try await sqs.setQueueAttributes(input) },
        "StartMessageMoveTask": operation { try await $0.startMoveTask($1, $2) },
        "TagQueue": operation { sqs, input, _ in try await sqs.tagQueue(input) },
        "UntagQueue": operation { sqs, input, _ in try await sqs.untagQueue(input) },
    ]

    /// Runs an operation.
    /// - Returns: the body of the answer.
    /// - Throws: ``AWSError``.
    func run(_ name: String, _ body: Data, _ caller: Caller) async throws -> [UInt8] {
        guard let handler = Self.table[name] else { throw AWSError.unknownOperation(name) }
        return try await handler(self, body, caller)
    }

    /// An operation that is called for each message.
    private static func frequent<Input: JSONInput & Sendable & SendableMetatype>(
        _ run: @escaping @Sendable (SQSOperations, Input, Caller) async throws -> JSONWriter
    ) -> Handler {
        { operations, body, caller in
            let input = try JSONReader.read(body.isEmpty ? Data("{}".utf8) : body) { (reader) throws(AWSError) in
                try Input(&reader)
            }
            return try await run(operations, input, caller).bytes
        }
    }

    private static func operation<Input: Decodable & SendableMetatype>(
        _ run: @escaping @Sendable (SQSOperations, Input, Caller) async throws -> JSONWriter
    ) -> Handler {
        { operations, body, caller in
            let input: Input
            do {
                input = try JSONDecoder().decode(Input.self, from: body.isEmpty ? Data("{}".utf8) : body)
            } catch let error as DecodingError {
                throw AWSError(error)
            }
            return try await run(operations, input, caller).bytes
        }
    }
}

extension AWSError {
    /// What a request is told that isn't what the operation takes.
    fileprivate init(_ error: DecodingError) {
        func path(_ keys: [any CodingKey]) -> String { keys.map(\.stringValue).joined(separator: ".") }
        switch error {
        case .keyNotFound(let key, let context): self = .missingParameter(path(context.codingPath + [key]))
        case .valueNotFound(_, let context): self = .missingParameter(path(context.codingPath))
        case .typeMismatch(_, let context):
            self = .serialization("The value of \(path(context.codingPath)) is of the wrong type.")
        case .dataCorrupted(let context):
            self = .serialization(
                context.codingPath.isEmpty
                    ? "The body isn't valid JSON." : "The value of \(path(context.codingPath)) can't be read.")
        @unknown default: self = .serialization("The body can't be read.")
        }
    }
}

// MARK: Queues

extension SQSOperations {
    struct QueueInput: Decodable {
        let queueURL: String

        enum CodingKeys: String, CodingKey { case queueURL = "QueueUrl" }
    }

    struct CreateQueueInput: Decodable {
        let name: String
        let attributes: [String: String]?
        let tags: [String: String]?

        enum CodingKeys: String, CodingKey {
            case name = "QueueName"
            case attributes = "Attributes"
            case tags
        }
    }

    struct QueueNameInput: Decodable {
        let name: String

        enum CodingKeys: String, CodingKey { case name = "QueueName" }
    }

    struct ListQueuesInput: Decodable {
        let prefix: String?
        let maxResults: Int?
        let nextToken: String?

        enum CodingKeys: String, CodingKey {
            case prefix = "QueueNamePrefix"
            case maxResults = "MaxResults"
            case nextToken = "NextToken"
        }
    }

    struct ListSourcesInput: Decodable {
        let queueURL: String
        let maxResults: Int?
        let nextToken: String?

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case maxResults = "MaxResults"
            case nextToken = "NextToken"
        }
    }

    struct GetAttributesInput: Decodable {
        let queueURL: String
        let names: [String]?

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case names = "AttributeNames"
        }
    }

    struct SetAttributesInput: Decodable {
        let queueURL: String
        let attributes: [String: String]

        enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case attributes = "Attributes"
        }
    }

    func createQueue(_ input: CreateQueueInput, _ caller: Caller) async throws -> JSONWriter {
        let attributes = try QueueAttributes(checking: input.attributes ?? [:])
        let tags = input.tags ?? [:]
        try checkTags(tags, of: input.name)
        try await queues.create(input.name, attributes: attributes, tags: tags)
        return queueURL(input.name, caller)
    }

    func getQueueURL(_ input: QueueNameInput, _ caller: Caller) throws -> JSONWriter {
        queueURL(try queues.get(input.name).name, caller)
    }

    private func queueURL(_ name: String, _ caller: Caller) -> JSONWriter {
        var json = JSONWriter()
        json.object { $0.member("QueueUrl", caller.queueURL(name)) }
        return json
    }

    func listQueues(_ input: ListQueuesInput, _ caller: Caller) throws -> JSONWriter {
        let names = queues.all.map(\.name).filter { $0.hasPrefix(input.prefix ?? "") }
        return try list("QueueUrls", names, input.maxResults, input.nextToken, caller)
    }

    func listDeadLetterSourceQueues(_ input: ListSourcesInput, _ caller: Caller) throws -> JSONWriter {
        let target = try queue(input.queueURL).name
        let names = queues.all.filter { $0.record.attributes.redrivePolicy?.queue == target }.map(\.name)
        return try list("queueUrls", names, input.maxResults, input.nextToken, caller)
    }

    /// A page of queue URLs. The token is the last name of the page before. Without `MaxResults` there is one page of
    /// at most 1,000, as on Amazon.
    private func list(
        _ key: String, _ names: [String], _ maxResults: Int?, _ token: String?, _ caller: Caller
    ) throws(AWSError) -> JSONWriter {
        guard 1...1000 ~= maxResults ?? 1000 else {
            throw .invalidParameterValue(
                "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.")
        }
        let rest = names.filter { token == nil || $0 > token ?? "" }
        let page = rest.prefix(maxResults ?? 1000)
        var json = JSONWriter()
        json.object { json in
            if !page.isEmpty || key == "queueUrls" {
                json.key(key)
                json.array(page) { $0.string(caller.queueURL($1)) }
            }
            if maxResults != nil, rest.count > page.count { json.member("NextToken", page.last) }
        }
        return json
    }

    func deleteQueue(_ input: QueueInput) async throws -> JSONWriter {
        try await queues.delete(queue(input.queueURL).name)
        return .emptyObject
    }

    func purgeQueue(_ input: QueueInput) async throws -> JSONWriter {
        try await queues.purge(ResourceName.queue(fromURL: input.queueURL))
        return .emptyObject
    }

    func getQueueAttributes(_ input: GetAttributesInput, _ caller: Caller) throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let asked = input.names ?? []
        for name in asked where name != "All" && !QueueAttributes.isKnown(name) {
            throw AWSError.invalidAttributeName(name)
        }
        let names = asked.contains("All") ? QueueAttributes.settable + QueueAttributes.computed : asked
        let record = queue.record
        let counts = queue.counts()
        let values = Set(names).sorted().compactMap { name in
            value(of: name, record, counts, caller).map { (key: name, value: $0) }
        }
        var json = JSONWriter()
        json.object { json in
            guard !values.isEmpty else { return }
            json.key("Attributes")
            json.object(values) { $0.member($1, $2) }
        }
        return json
    }

    private func value(
        of name: String, _ record: BrokerStore.QueueRecord, _ counts: QueueState.Counts, _ caller: Caller
    ) -> String? {
        switch name {
        case "ApproximateNumberOfMessages": String(counts.visible)
        case "ApproximateNumberOfMessagesDelayed": String(counts.delayed)
        case "ApproximateNumberOfMessagesNotVisible": String(counts.inFlight)
        case "CreatedTimestamp": String(record.createdAt / 1000)
        case "LastModifiedTimestamp": String(record.modifiedAt / 1000)
        case "QueueArn": caller.queueARN(record.name)
        default: record.attributes[name]
        }
    }

    func setQueueAttributes(_ input: SetAttributesInput) async throws -> JSONWriter {
        let queue = try queue(input.queueURL)
        let isFIFO = queue.record.attributes.isFIFO
        let attributes = try QueueAttributes(checking: input.attributes, isFIFO: isFIFO)
        try await queues.setAttributes(queue.name, attributes)
        return .emptyObject
    }

    func queue(_ url: String) throws(AWSError) -> MessageQueue { try queues.get(ResourceName.queue(fromURL: url)) }
}

extension JSONWriter {
    static var emptyObject: JSONWriter {
        var json = JSONWriter(capacity: 2)
        json.object { _ in }
        return json
    }
}
