import Contracts
public import Foundation

/// What an operator can do with queues, beyond what a consumer needs of them.
extension AWSTransport {
    /// The names of all queues that there are, or of those whose names begin so.
    public func queues(prefix: String? = nil) async throws -> [Queue] {
        var queues: [Queue] = []
        var token: String?
        repeat {
            let page: SQS.ListQueues.Output = try await client.sqs(
                "ListQueues", SQS.ListQueues(QueueNamePrefix: prefix, MaxResults: 1000, NextToken: token))
            queues += (page.QueueUrls ?? []).compactMap { $0.split(separator: "/").last }
                .map { Queue(rawValue: String($0)) }
            token = page.NextToken
        } while token != nil
        return queues
    }

    /// How many messages a queue holds, whether they are visible or not.
    public func count(of queue: Queue) async throws -> Int {
        let names = ["", "NotVisible", "Delayed"].map { "ApproximateNumberOfMessages\($0)" }
        let output: SQS.GetQueueAttributes.Output = try await client.sqs(
            "GetQueueAttributes", SQS.GetQueueAttributes(QueueUrl: try await url(of: queue), AttributeNames: names))
        return names.compactMap { output.Attributes?[$0].flatMap { Int($0) } }.reduce(0, +)
    }

    /// Takes up to 10 messages to look at. SQS has no way to look without taking: until `visibilityTimeout` is over,
    /// or ``changeVisibility(of:on:to:)`` gives them back, nobody else sees them, and each look counts as a delivery.
    /// It waits for a second if there is nothing, for at once only some of Amazon's servers would be asked.
    public func examine(
        _ queue: Queue, atMost count: Int, visibilityTimeout: Duration
    ) async throws -> [ExaminedMessage] {
        let output: SQS.ReceiveMessage.Output = try await client.sqs(
            "ReceiveMessage",
            SQS.ReceiveMessage(
                QueueUrl: try await url(of: queue), MaxNumberOfMessages: count, WaitTimeSeconds: 1,
                VisibilityTimeout: visibilityTimeout.wholeSeconds, MessageSystemAttributeNames: ["All"]))
        return (output.Messages ?? []).map { ExaminedMessage($0) }
    }

    /// Gives messages that were examined back to the queue, visible at once.
    public func release(_ messages: [InboundMessage], on queue: Queue) async throws {
        for start in stride(from: 0, to: messages.count, by: 10) {
            let entries = messages[start..<min(start + 10, messages.count)].enumerated().map { index, message in
                SQS.ChangeMessageVisibilityBatch.Entry(
                    Id: "\(index)", ReceiptHandle: message.receiptHandle, VisibilityTimeout: 0)
            }
            let _: SQS.Nothing = try await client.sqs(
                "ChangeMessageVisibilityBatch",
                SQS.ChangeMessageVisibilityBatch(QueueUrl: try await url(of: queue), Entries: entries))
        }
    }

    /// Removes all messages of a queue. SQS does so once a minute at most.
    public func purge(_ queue: Queue) async throws {
        let _: SQS.Nothing = try await client.sqs("PurgeQueue", SQS.PurgeQueue(QueueUrl: try await url(of: queue)))
    }
}

/// A message as an operator sees it.
public struct ExaminedMessage: Sendable, Equatable {
    public let message: InboundMessage
    /// When it came into this queue.
    public let sentAt: Date?

    public init(message: InboundMessage, sentAt: Date?) {
        self.message = message
        self.sentAt = sentAt
    }

    init(_ wire: SQS.ReceiveMessage.Message) {
        message = InboundMessage(
            id: wire.MessageId, receiptHandle: wire.ReceiptHandle, body: wire.Body,
            attributes: (wire.MessageAttributes ?? [:]).compactMapValues(\.StringValue),
            receiveCount: wire.Attributes?["ApproximateReceiveCount"].flatMap { Int($0) } ?? 1)
        sentAt = wire.Attributes?["SentTimestamp"].flatMap { Double($0) }.map { Date(timeIntervalSince1970: $0 / 1000) }
    }
}
