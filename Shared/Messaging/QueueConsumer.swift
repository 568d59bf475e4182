import Contracts
import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Telemetry
import Tracing

/// An event that was received, opened as far as its attributes.
public struct IncomingEvent: Sendable {
    public let attributes: EventAttributes
    /// The whole event in JSON.
    public let body: String

    public init(attributes: EventAttributes, body: String) {
        self.attributes = attributes
        self.body = body
    }
}

/// How a queue is worked off.
public struct ConsumerSettings: Sendable {
    /// How many messages are handled at once; no more are received than can be worked on.
    public var concurrency: Int
    /// A message whose handler takes longer is extended while it runs, so this bounds only how late a message comes
    /// back whose consumer died.
    public var visibilityTimeout: Duration
    public var retry: RetryPolicy

    public init(
        concurrency: Int = 16, visibilityTimeout: Duration = .seconds(30), retry: RetryPolicy = RetryPolicy()
    ) {
        self.concurrency = concurrency
        self.visibilityTimeout = visibilityTimeout
        self.retry = retry
    }
}

/// Works off a queue: receives with long polls, hands each event to the handler, acknowledges it afterwards, and turns
/// a failure into a retry or a dead letter.
public struct QueueConsumer<WaitClock: Clock<Duration>>: Service {
    private let link: BrokerLink
    private let queue: Queue
    /// What the queue is called in metrics and spans.
    private let name: String
    private let settings: ConsumerSettings
    private let logger: Logger
    private let clock: WaitClock
    private let handle: @Sendable (IncomingEvent) async throws -> Void

    /// The longest that SQS lets a receiver wait.
    private static var longestPoll: Duration { .seconds(20) }

    /// - Parameter name: what the queue is called in metrics and spans, if it is one of many that come and go.
    public init(
        link: BrokerLink, queue: Queue, name: String? = nil, settings: ConsumerSettings, logger: Logger,
        clock: WaitClock = ContinuousClock(), handle: @escaping @Sendable (IncomingEvent) async throws -> Void
    ) {
        self.link = link
        self.queue = queue
        self.name = name ?? queue.rawValue
        self.settings = settings
        self.logger = logger
        self.clock = clock
        self.handle = handle
    }

    /// Runs until shutdown, then finishes what is in hand.
    public func run() async throws {
        let slots = WorkSlots(settings.concurrency)
        await withDiscardingTaskGroup { group in
            var failures = 0
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let free = await slots.take(upTo: 10)
                var messages: [InboundMessage] = []
                do {
                    messages = try await cancelWhenGracefulShutdown { try await receive(atMost: free) }
                    failures = 0
                } catch {
                    failures += 1
                    await pause(afterFailures: failures)
                }
                slots.give(back: free - messages.count)
                for message in messages {
                    group.addTask {
                        await work(on: message)
                        slots.give()
                    }
                }
            }
        }
    }

    private func receive(atMost count: Int) async throws -> [InboundMessage] {
        try await link.use { transport in
            try await transport.receive(
                from: queue, atMost: count, wait: Self.longestPoll, visibilityTimeout: settings.visibilityTimeout)
        }
    }

    private func pause(afterFailures count: Int) async {
        let policy = RetryPolicy(base: .milliseconds(200), longest: .seconds(2))
        try? await cancelWhenGracefulShutdown { try await clock.sleep(for: policy.delay(attempt: count)) }
    }

    /// Takes one message to its end: acknowledged, visible again later, or among the dead letters. When the broker
    /// can't be told, the visibility timeout brings the message back and the inbox recognises it.
    private func work(on message: InboundMessage) async {
        let attributes = Result { try EventAttributes(opening: message.body) }
        var context = (try? attributes.get().messageContext.serviceContext) ?? .topLevel
        if context.correlationID == nil { context.correlationID = CorrelationID.make() }
        await withSpan("process \(name)", context: context, ofKind: .consumer) { span in
            span.updateAttributes {
                $0["messaging.system"] = "aws_sqs"
                $0["messaging.operation.type"] = "process"
                $0["messaging.operation.name"] = "process"
                $0["messaging.destination.name"] = name
                $0["messaging.message.id"] = message.id
                $0["shop.delivery.attempt"] = message.receiveCount
                if let sentAt = message.sentAt {
                    $0["shop.delivery.waited_ms"] = max(0, Int(Date().timeIntervalSince(sentAt) * 1000))
                }
            }
            note(message)
            do {
                let attributes = try attributes.get()
                span.attributes["shop.message.type"] = attributes.type
                // Message Expiration (Enterprise Integration Patterns): a request too old to be worth an answer, and an
                // answer that nobody waits for any more.
                if let expiry = attributes.expirytime, expiry < Date() {
                    logger.info("dropped an expired message", metadata: ["message_id": "\(attributes.id)"])
                    await acknowledge(message, as: "expired")
                    return
                }
                try await withVisibilityExtended(message) {
                    try await handle(IncomingEvent(attributes: attributes, body: message.body))
                }
            } catch {
                span.recordError(error)
                await settle(message, after: error, on: span)
                return
            }
            await acknowledge(message)
        }
    }

    private func acknowledge(_ message: InboundMessage, as outcome: String = "acknowledged") async {
        do {
            try await link.use { try await $0.acknowledge(message, on: queue) }
            count(outcome)
        } catch {
            // Not a failure of the message: it is done, and must never end among the dead letters for this.
            logger.warning(
                "the broker could not be told about a handled message, which therefore comes again",
                metadata: ["broker_message_id": "\(message.id)", "error": "\(error)"])
        }
    }

    private func settle(_ message: InboundMessage, after error: any Error, on span: any Span) async {
        do {
            switch settings.retry.disposition(of: error, receiveCount: message.receiveCount) {
            case .retry(let delay):
                count("retried")
                span.attributes["shop.outcome"] = "retried"
                try await settling("retry", message, because: "\(error)") { span, transport in
                    span.attributes["shop.retry.delay_ms"] = Int(delay.inSeconds * 1000)
                    try await transport.changeVisibility(of: message, on: queue, to: delay)
                }
                logger.warning(
                    "a message failed and is retried",
                    metadata: [
                        "broker_message_id": "\(message.id)", "attempt": "\(message.receiveCount)",
                        "error": "\(error)",
                    ])
            case .deadLetter(let reason):
                count("dead_lettered")
                span.attributes["shop.outcome"] = "dead_lettered"
                logger.error(
                    "a message can't be handled and was moved to the dead letters",
                    metadata: ["broker_message_id": "\(message.id)", "reason": "\(reason)"])
                try await settling("dead_letter", message, because: reason) { _, transport in
                    try await transport.deadLetter(message, on: queue, reason: reason)
                }
            }
        } catch {
            logger.warning(
                "the broker could not be told about a failed message, which therefore comes again",
                metadata: ["broker_message_id": "\(message.id)", "error": "\(error)"])
        }
    }

    /// Tells the broker what becomes of a message that failed, in a span that says why.
    private func settling(
        _ operation: String, _ message: InboundMessage, because reason: String,
        _ body: @escaping @Sendable (any Span, any MessageTransport) async throws -> Void
    ) async throws {
        try await withSpan("\(operation) \(name)", ofKind: .client) { span in
            span.updateAttributes {
                $0["messaging.system"] = "aws_sqs"
                $0["messaging.operation.type"] = "settle"
                $0["messaging.operation.name"] = operation
                $0["messaging.destination.name"] = name
                $0["messaging.message.id"] = message.id
                $0["shop.settle.reason"] = reason
            }
            try await link.use { try await body(span, $0) }
        }
    }

    /// How long messages wait in the queue, and how often they come.
    private func note(_ message: InboundMessage) {
        let dimensions = [("messaging.destination.name", name)]
        if let sentAt = message.sentAt {
            Metrics.Timer(label: "messaging.delivery.lag", dimensions: dimensions)
                .recordNanoseconds(Int64(max(0, Date().timeIntervalSince(sentAt)) * 1e9))
        }
        Recorder(label: "messaging.delivery.attempts", dimensions: dimensions).record(message.receiveCount)
    }

    /// Runs `body` and, as long as it takes, puts off the moment at which the message is delivered again.
    private func withVisibilityExtended(
        _ message: InboundMessage, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await clock.sleep(for: settings.visibilityTimeout / 2)
                    try? await link.use {
                        try await $0.changeVisibility(of: message, on: queue, to: settings.visibilityTimeout)
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func count(_ outcome: String) {
        Counter(
            label: "messaging.client.consumed.messages",
            dimensions: [("messaging.destination.name", name), ("outcome", outcome)]
        ).increment()
    }
}

extension EventAttributes {
    /// Reads the attributes of a message's body.
    /// - Throws: ``Unprocessable`` if it isn't a CloudEvent in JSON.
    init(opening body: String) throws {
        do {
            self = try ContractJSON.decode(from: body)
        } catch DecodingError.keyNotFound(let key, _) {
            throw Unprocessable("The message isn't a CloudEvent: '\(key.stringValue)' is missing.")
        } catch {
            throw Unprocessable("The message isn't a CloudEvent in JSON.")
        }
        guard specversion == "1.0" else {
            throw Unprocessable("The message is a CloudEvent of version '\(specversion)'; only 1.0 is known.")
        }
    }
}
