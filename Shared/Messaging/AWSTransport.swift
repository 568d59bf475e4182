import AsyncHTTPClient
import Contracts
import Foundation
import Synchronization

/// Amazon SNS and SQS, or anything that speaks their protocols.
public final class AWSTransport: MessageTransport {
    let client: AWSClient
    private let channels: ChannelSetup
    private let names = Mutex(Names())
    private let acknowledgements = Mutex<[Queue: Acknowledgements]>([:])

    /// What the broker called the channels when they were made.
    private struct Names {
        var queueURLs: [Queue: String] = [:]
        var topicARNs: [Topic: String] = [:]
        var account: String?
    }

    /// - Parameters:
    ///   - http: shared by the process; its owner shuts it down.
    ///   - access: where SNS and SQS are.
    ///   - channels: whether what is missing is made.
    public init(http: HTTPClient, access: AWSAccess, channels: ChannelSetup) {
        client = AWSClient(http: http, access: access)
        self.channels = channels
    }

    public func send(
        _ messages: [OutboundMessage], to destination: Destination
    ) async throws -> [SendRefusal?] {
        switch destination {
        case .queue(let queue): try await send(messages, to: queue)
        case .topic(let topic): try await publish(messages, on: topic)
        }
    }

    private func send(_ messages: [OutboundMessage], to queue: Queue) async throws -> [SendRefusal?] {
        let output: SQS.BatchOutput
        do {
            output = try await client.sqs(
                "SendMessageBatch",
                SQS.SendMessageBatch(
                    QueueUrl: try await url(of: queue),
                    Entries: messages.enumerated().map { index, message in
                        .init(
                            Id: "\(index)", MessageBody: message.body,
                            DelaySeconds: message.delay > .zero ? message.delay.wholeSeconds : nil,
                            MessageAttributes: message.attributes.mapValues(SQS.Attribute.init))
                    }))
        } catch let error as AWSError where error.isNonExistentQueue {
            forget(queue)
            throw error
        }
        return output.refusals(of: messages.count)
    }

    private func publish(_ messages: [OutboundMessage], on topic: Topic) async throws -> [SendRefusal?] {
        var parameters = [("TopicArn", try await arn(of: topic))]
        for (index, message) in messages.enumerated() {
            let entry = "PublishBatchRequestEntries.member.\(index + 1)"
            parameters += [("\(entry).Id", "\(index)"), ("\(entry).Message", message.body)]
            for (number, attribute) in message.attributes.sorted(by: { $0.key < $1.key }).enumerated() {
                let prefix = "\(entry).MessageAttributes.entry.\(number + 1)"
                parameters += [
                    ("\(prefix).Name", attribute.key), ("\(prefix).Value.DataType", "String"),
                    ("\(prefix).Value.StringValue", attribute.value),
                ]
            }
        }
        let result = try await client.sns("PublishBatch", parameters)
        let accepted = Set((result.first("Successful")?.children ?? []).compactMap { $0.text(of: "Id") })
        let failed = result.first("Failed")?.children ?? []
        return messages.indices.map { index in
            if accepted.contains("\(index)") { return nil }
            guard let entry = failed.first(where: { $0.text(of: "Id") == "\(index)" }) else {
                return .missingFromAnswer
            }
            return SendRefusal(code: entry.text(of: "Code") ?? "Unknown", message: entry.text(of: "Message") ?? "")
        }
    }

    public func receive(
        from queue: Queue, atMost count: Int, wait: Duration, visibilityTimeout: Duration
    ) async throws -> [InboundMessage] {
        let output: SQS.ReceiveMessage.Output = try await client.sqs(
            "ReceiveMessage",
            SQS.ReceiveMessage(
                QueueUrl: try await url(of: queue), MaxNumberOfMessages: count, WaitTimeSeconds: wait.wholeSeconds,
                VisibilityTimeout: visibilityTimeout.wholeSeconds),
            timeout: wait + .seconds(10))
        return (output.Messages ?? []).map { message in
            InboundMessage(
                id: message.MessageId, receiptHandle: message.ReceiptHandle, body: message.Body,
                attributes: (message.MessageAttributes ?? [:]).compactMapValues(\.StringValue),
                receiveCount: message.Attributes?["ApproximateReceiveCount"].flatMap { Int($0) } ?? 1,
                sentAt: message.Attributes?["SentTimestamp"].flatMap { Double($0) }.map {
                    Date(timeIntervalSince1970: $0 / 1000)
                })
        }
    }

    public func acknowledge(_ message: InboundMessage, on queue: Queue) async throws {
        let acknowledgements = acknowledgements.withLock { all in
            let known = all[queue] ?? Acknowledgements()
            all[queue] = known
            return known
        }
        try await acknowledgements.add(message.receiptHandle) { try await self.remove($0, from: queue) }
    }

    private func remove(_ receipts: [String], from queue: Queue) async throws -> [SendRefusal?] {
        let output: SQS.BatchOutput = try await client.sqs(
            "DeleteMessageBatch",
            SQS.DeleteMessageBatch(
                QueueUrl: try await url(of: queue),
                Entries: receipts.enumerated().map { .init(Id: "\($0)", ReceiptHandle: $1) }))
        return output.refusals(of: receipts.count)
    }

    public func changeVisibility(of message: InboundMessage, on queue: Queue, to delay: Duration) async throws {
        let _: SQS.Nothing = try await client.sqs(
            "ChangeMessageVisibility",
            SQS.ChangeMessageVisibility(
                QueueUrl: try await url(of: queue), ReceiptHandle: message.receiptHandle,
                VisibilityTimeout: delay.wholeSeconds))
    }

    public func deadLetter(_ message: InboundMessage, on queue: Queue, reason: String) async throws {
        var attributes = message.attributes
        attributes["reason"] = reason
        let copy = OutboundMessage(body: message.body, attributes: attributes)
        if let refusal = try await send([copy], to: queue.deadLetters).first ?? nil { throw refusal }
        try await acknowledge(message, on: queue)
    }
}

// MARK: - Topology

extension AWSTransport {
    public func ensure(_ topology: Topology) async throws {
        if let queue = topology.replyQueue {
            let end = Date(timeIntervalSinceNow: ReplyQueueLease.length.inSeconds)
            _ = try await createQueue(named: queue, attributes: Self.shortLived, tags: Self.lease(until: end))
        }
        guard case .make(let maxReceiveCount) = channels else {
            // Asked anew each time: that the broker can be reached, and knows us, is to be seen before it is said.
            if let queue = topology.ownQueue { _ = try await lookUp(queue) }
            return
        }
        var arns: [Queue: String] = [:]
        for queue in topology.queues { arns[queue] = try await create(queue, maxReceiveCount: maxReceiveCount) }
        for queue in topology.requestQueues {
            _ = try await createQueue(named: queue, attributes: Self.shortLived)
        }
        for topic in topology.topics { _ = try await create(topic) }
        for subscription in topology.subscriptions {
            try await subscribe(subscription, endpoint: arns[subscription.queue] ?? "")
        }
    }

    /// Makes a queue with its dead letters.
    /// - Returns: its ARN.
    private func create(_ queue: Queue, maxReceiveCount: Int) async throws -> String {
        let deadLetters = try await createQueue(named: queue.deadLetters, attributes: [:])
        let redrive = #"{"deadLetterTargetArn":"\#(deadLetters)","maxReceiveCount":\#(maxReceiveCount)}"#
        return try await createQueue(named: queue, attributes: ["RedrivePolicy": redrive])
    }

    private func createQueue(
        named queue: Queue, attributes: [String: String], tags: [String: String]? = nil
    ) async throws -> String {
        let url: String
        do {
            let output: SQS.QueueURL = try await client.sqs(
                "CreateQueue", SQS.CreateQueue(QueueName: queue.rawValue, Attributes: attributes, tags: tags))
            url = output.QueueUrl
        } catch let error as AWSError where error.code == "QueueAlreadyExists" {
            // It is there with other attributes, for example from an earlier version of the shop.
            url = try await lookUp(queue)
            let _: SQS.Nothing = try await client.sqs(
                "SetQueueAttributes", SQS.SetQueueAttributes(QueueUrl: url, Attributes: attributes))
        }
        names.withLock { $0.queueURLs[queue] = url }
        let output: SQS.GetQueueAttributes.Output = try await client.sqs(
            "GetQueueAttributes", SQS.GetQueueAttributes(QueueUrl: url, AttributeNames: ["QueueArn"]))
        return output.Attributes?["QueueArn"] ?? ""
    }

    private func create(_ topic: Topic) async throws -> String {
        let result = try await client.sns("CreateTopic", [("Name", topic.rawValue)])
        let arn = result.text(of: "TopicArn") ?? ""
        names.withLock { $0.topicARNs[topic] = arn }
        return arn
    }

    private func subscribe(_ subscription: Topology.Subscription, endpoint: String) async throws {
        let topic = try await arn(of: subscription.topic)
        let types = subscription.types.map { "\"\($0)\"" }.joined(separator: ",")
        let policy = #"{"type":[\#(types)]}"#
        let address = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", endpoint)]
        do {
            _ = try await client.sns(
                "Subscribe",
                address + [
                    ("ReturnSubscriptionArn", "true"),
                    ("Attributes.entry.1.key", "RawMessageDelivery"), ("Attributes.entry.1.value", "true"),
                    ("Attributes.entry.2.key", "FilterPolicy"), ("Attributes.entry.2.value", policy),
                ])
        } catch let error as AWSError where error.code == "InvalidParameter" {
            // The subscription is there with another filter, for example from an earlier version of the shop.
            let existing = try await client.sns("Subscribe", address + [("ReturnSubscriptionArn", "true")])
            _ = try await client.sns(
                "SetSubscriptionAttributes",
                [
                    ("SubscriptionArn", existing.text(of: "SubscriptionArn") ?? ""),
                    ("AttributeName", "FilterPolicy"), ("AttributeValue", policy),
                ])
        }
    }

    func url(of queue: Queue) async throws -> String {
        if let url = names.withLock({ $0.queueURLs[queue] }) { return url }
        let url = try await lookUp(queue)
        names.withLock { $0.queueURLs[queue] = url }
        return url
    }

    private func lookUp(_ queue: Queue) async throws -> String {
        let output: SQS.QueueURL = try await client.sqs("GetQueueUrl", SQS.GetQueueURL(QueueName: queue.rawValue))
        return output.QueueUrl
    }

    private func arn(of topic: Topic) async throws -> String {
        if let arn = names.withLock({ $0.topicARNs[topic] }) { return arn }
        if case .make = channels { return try await create(topic) }
        // SNS has no way to look up a topic by its name that would need no right to list them all.
        let account = try await account()
        let arn = "arn:\(client.access.partition):sns:\(client.access.region):\(account):\(topic)"
        names.withLock { $0.topicARNs[topic] = arn }
        return arn
    }

    private func account() async throws -> String {
        if let account = names.withLock(\.account) { return account }
        let account = try await client.account()
        names.withLock { $0.account = account }
        return account
    }
}

// MARK: - Reply queues

extension AWSTransport {
    /// A minute, the shortest time that SQS keeps a message.
    private static let shortLived = ["MessageRetentionPeriod": "60"]
    private static let leaseTag = "shop-in-use-until"

    private static func lease(until end: Date) -> [String: String] { [leaseTag: RFC3339.string(from: end)] }

    public func renew(_ queue: Queue, until end: Date) async throws {
        let _: SQS.Nothing = try await client.sqs(
            "TagQueue", SQS.TagQueue(QueueUrl: try await url(of: queue), Tags: Self.lease(until: end)))
    }

    public func leases(prefix: String) async throws -> [Queue: Date] {
        var leases: [Queue: Date] = [:]
        for queue in try await queues(prefix: prefix) {
            do {
                let tags: SQS.ListQueueTags.Output = try await client.sqs(
                    "ListQueueTags", SQS.ListQueueTags(QueueUrl: try await lookUp(queue)))
                leases[queue] = tags.Tags?[Self.leaseTag].flatMap(RFC3339.date)
            } catch let error as AWSError where error.isNonExistentQueue {
                // Its process has removed it meanwhile.
                continue
            }
        }
        return leases
    }

    public func remove(_ queue: Queue) async throws {
        do {
            let _: SQS.Nothing = try await client.sqs(
                "DeleteQueue", SQS.DeleteQueue(QueueUrl: try await url(of: queue)))
        } catch let error as AWSError where error.isNonExistentQueue {}
        forget(queue)
    }

    /// A queue that isn't there any more; if it comes back, it is looked up again.
    private func forget(_ queue: Queue) {
        names.withLock { $0.queueURLs[queue] = nil }
    }
}

extension AWSError {
    /// Whether the error is that there is no such queue, by the name that it has in either protocol of SQS.
    var isNonExistentQueue: Bool { code == "AWS.SimpleQueueService.NonExistentQueue" || code == "QueueDoesNotExist" }
}

extension SQS.BatchOutput {
    /// What became of a batch whose entries are called by their numbers: for each why it was refused, or `nil`.
    fileprivate func refusals(of count: Int) -> [SendRefusal?] {
        let accepted = Set((Successful ?? []).map(\.Id))
        let failed = Dictionary(
            (Failed ?? []).map { ($0.Id, SendRefusal(code: $0.Code, message: $0.Message ?? "")) },
            uniquingKeysWith: { first, _ in first })
        return (0..<count).map { accepted.contains("\($0)") ? nil : failed["\($0)"] ?? .missingFromAnswer }
    }
}

extension SendRefusal {
    fileprivate static let missingFromAnswer = SendRefusal(
        code: "Unknown", message: "the broker's answer doesn't mention the message")
}

extension Duration {
    /// Rounded up.
    var wholeSeconds: Int { Int(components.seconds) + (components.attoseconds > 0 ? 1 : 0) }
}
