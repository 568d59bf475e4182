import Foundation

/// `StartMessageMoveTask`, `ListMessageMoveTasks` and `CancelMessageMoveTask`.
extension SQSOperations {
    struct StartMoveInput: Decodable {
        let source: String
        let destination: String?
        let rate: Int?

        enum CodingKeys: String, CodingKey {
            case source = "SourceArn"
            case destination = "DestinationArn"
            case rate = "MaxNumberOfMessagesPerSecond"
        }
    }

    struct ListMovesInput: Decodable {
        let source: String
        let maxResults: Int?

        enum CodingKeys: String, CodingKey {
            case source = "SourceArn"
            case maxResults = "MaxResults"
        }
    }

    struct CancelMoveInput: Decodable {
        let handle: String

        enum CodingKeys: String, CodingKey { case handle = "TaskHandle" }
    }

    func startMoveTask(_ input: StartMoveInput, _ caller: Caller) async throws -> JSONWriter {
        let source = try queue(arn: input.source, "SourceArn")
        guard queues.all.contains(where: { $0.record.attributes.redrivePolicy?.queue == source.name }) else {
            throw AWSError.invalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        }
        let destination = try input.destination.map { try queue(arn: $0, "DestinationArn") }
        if let destination, destination.record.attributes.isFIFO != source.record.attributes.isFIFO {
            throw AWSError.invalidParameterValue("Source queue and destination queue must be of the same type.")
        }
        if let rate = input.rate, !(1...500 ~= rate) {
            throw AWSError.invalidParameterValue(
                "Value \(rate) for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided."
            )
        }
        let task = try await moves.start(from: source.name, to: destination?.name, rate: input.rate)
        var json = JSONWriter()
        json.object { $0.member("TaskHandle", handle(of: task, caller)) }
        return json
    }

    func listMoveTasks(_ input: ListMovesInput, _ caller: Caller) async throws -> JSONWriter {
        let source = try queue(arn: input.source, "SourceArn")
        let limit = input.maxResults ?? 1
        guard 1...10 ~= limit else {
            throw AWSError.invalidParameterValue(
                "Value \(limit) for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.")
        }
        let tasks = try await moves.list(of: source.name, limit: limit)
        var json = JSONWriter()
        json.object { json in
            json.key("Results")
            json.array(tasks) { json, task in
                json.object { write(task, caller, to: &$0) }
            }
        }
        return json
    }

    private func write(_ task: MoveTask, _ caller: Caller, to json: inout JSONWriter) {
        // As on Amazon, the handle is there only while it is good for something.
        if task.status == .running { json.member("TaskHandle", handle(of: task, caller)) }
        json.member("Status", task.status.rawValue)
        json.member("SourceArn", caller.queueARN(task.source))
        json.member("DestinationArn", task.destination.map(caller.queueARN))
        if let rate = task.rate { json.member("MaxNumberOfMessagesPerSecond", rate) }
        json.member("ApproximateNumberOfMessagesMoved", task.moved)
        json.member("ApproximateNumberOfMessagesToMove", task.toMove)
        json.member("FailureReason", task.failure)
        json.member("StartedTimestamp", Int(task.startedAt))
    }

    func cancelMoveTask(_ input: CancelMoveInput) async throws -> JSONWriter {
        guard let data = Data(base64Encoded: input.handle),
            let id = (try? JSONValue(parsing: String(decoding: data, as: UTF8.self)))?.object?["taskId"]?.string
        else { throw AWSError.invalidParameterValue("Value for parameter TaskHandle is invalid.") }
        let moved = try await moves.cancel(id)
        var json = JSONWriter()
        json.object { $0.member("ApproximateNumberOfMessagesMoved", moved) }
        return json
    }

    /// The task's id and source, as JSON in base64; opaque to clients.
    private func handle(of task: MoveTask, _ caller: Caller) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("taskId", task.id)
            json.member("sourceArn", caller.queueARN(task.source))
        }
        return Data(json.bytes).base64EncodedString()
    }

    private func queue(arn: String, _ parameter: String) throws(AWSError) -> MessageQueue {
        guard let name = ResourceName.queue(fromARN: arn) else {
            throw .invalidParameterValue(
                "You must use this format to specify the \(parameter): arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )
        }
        guard let queue = queues.find(name) else {
            throw .resourceNotFound("The resource that you specified for the \(parameter) parameter doesn't exist.")
        }
        return queue
    }
}
