/// `DeleteMessage`, `ChangeMessageVisibility` and their batches.
extension SQSOperations {
    struct DeleteInput {
        let queueURL: String
        let handle: String
    }

    struct HandleEntry {
        let id: String
        let handle: String
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
        let errors = try await queue.delete([ReceiptHandle(input.handle, queue: queue.name)])
        if let error = errors.first ?? nil { throw error }
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
        var successful: [String] = []
        for (entry, error) in zip(handles, try await queue.delete(handles.map(\.handle))) {
            if let error {
                failed.append(BatchRules.Failure(id: entry.id, error: error))
            } else {
                successful.append(entry.id)
            }
        }
        return BatchRules.answer(successful, failed)
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

    func checkVisibility(_ seconds: Int) throws(AWSError) {
        guard 0...43_200 ~= seconds else {
            throw .invalidParameterValue(
                "Value \(seconds) for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200"
            )
        }
    }
}
