import Contracts
import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Synchronization
import Telemetry
import Tracing

/// Asks other services over the broker and hands each answer to whoever waits for it (Enterprise Integration Patterns:
/// Request-Reply, with Return Address, Correlation Identifier and Message Expiration).
///
/// A question goes out at once and from memory. The outbox is for what must not be lost; a question changes nothing,
/// and if this process dies, so does the one who wants the answer. Nor does it pass an inbox: asked twice, a question
/// is answered twice, and the second answer finds nobody waiting.
public final class Requester: Service {
    private let service: String
    private let queue: Queue
    private let link: BrokerLink
    private let settings: ConsumerSettings
    private let logger: Logger
    private let waiting = Mutex<[String: AsyncStream<IncomingEvent>.Continuation]>([:])

    /// - Parameters:
    ///   - service: who asks.
    ///   - queue: where the replies come in; from ``Contracts/Queue/replies(to:)``.
    ///   - link: makes sure that the queue exists.
    public init(service: String, queue: Queue, link: BrokerLink, settings: ConsumerSettings, logger: Logger) {
        self.service = service
        self.queue = queue
        self.link = link
        self.settings = settings
        self.logger = logger
    }

    /// Takes replies until shutdown, then removes their queue.
    public func run() async throws {
        let replies = ReplyQueue(
            queue: queue, prefix: Queue.repliesPrefix(service), link: link, logger: logger, clock: ContinuousClock())
        let consumer = QueueConsumer(
            link: link, queue: queue, name: "\(service)-replies", settings: settings, logger: logger
        ) { self.take($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await replies.keep() }
            group.addTask { try await consumer.run() }
            try await group.waitForAll()
        }
        await replies.remove()
    }

    /// Why a question has no answer.
    public enum Failure: Error, Equatable, Sendable {
        /// The other service says so, in a sentence.
        case refused(String)
        /// The broker didn't take the question.
        case unsent(String)
    }

    /// Asks and waits for the answer, as long as the task isn't cancelled: who asks several at once has one deadline for
    /// all of them.
    /// - Parameters:
    ///   - queue: where the other service takes questions.
    ///   - subject: what it is about.
    ///   - expiry: after this the question isn't answered any more, and an answer is dropped.
    /// - Throws: ``Failure``; `CancellationError`.
    public func ask<Request: RequestPayload>(
        _ request: Request, of queue: Queue, about subject: String, until expiry: Date
    ) async throws -> Request.Reply {
        let id = UUIDv7.make()
        let (replies, continuation) = AsyncStream<IncomingEvent>.makeStream(bufferingPolicy: .bufferingOldest(1))
        // Before the question is out, so that no answer is too quick.
        waiting.withLock { $0[id] = continuation }
        defer { waiting.withLock { _ = $0.removeValue(forKey: id) } }
        try await withSpan("send \(queue)", ofKind: .producer) { span in
            span.attributes["messaging.destination.name"] = queue.rawValue
            span.attributes["messaging.message.id"] = id
            let attributes = EventAttributes(
                id: id, source: "/services/\(service)", type: Request.type, subject: subject, context: .current(),
                expirytime: expiry,
                replyto: self.queue.rawValue)
            try await send(CloudEvent(attributes: attributes, data: request), to: queue)
        }
        for await reply in replies { return try Self.read(reply) }
        throw CancellationError()
    }

    private func send(_ request: CloudEvent<some MessagePayload>, to queue: Queue) async throws {
        let message = OutboundMessage(
            body: try ContractJSON.encode(request), attributes: ["type": request.attributes.type])
        let refusals: [SendRefusal?]
        do {
            refusals = try await link.use { try await $0.send([message], to: .queue(queue)) }
        } catch {
            if error is CancellationError || Task.isCancelled { throw CancellationError() }
            throw Failure.unsent("\(error)")
        }
        if let refusal = refusals.first ?? nil { throw Failure.unsent("\(refusal)") }
    }

    /// Hands a reply to the one who waits for it. One that comes twice, or after its question was given up, is dropped;
    /// one that comes after its time never gets here.
    private func take(_ reply: IncomingEvent) {
        let continuation = reply.attributes.causationid.flatMap { id in waiting.withLock { $0[id] } }
        var outcome = "unawaited"
        if let continuation, case .enqueued = continuation.yield(reply) { outcome = "taken" }
        Counter(label: "messaging.client.replies", dimensions: [("outcome", outcome)]).increment()
    }

    private static func read<Reply: MessagePayload>(_ reply: IncomingEvent) throws -> Reply {
        do {
            if reply.attributes.type == RequestRefused.type {
                let refused: CloudEvent<RequestRefused> = try ContractJSON.decode(from: reply.body)
                throw Failure.refused(refused.data.reason)
            }
            let answer: CloudEvent<Reply> = try ContractJSON.decode(from: reply.body)
            return answer.data
        } catch is DecodingError {
            throw Failure.refused("The answer, a \(reply.attributes.type), isn't what was asked for.")
        }
    }
}

extension EventAttributes {
    /// The envelope of a question or an answer, made now.
    init(
        id: String, source: String, type: String, subject: String, context: MessageContext, expirytime: Date?,
        replyto: String? = nil
    ) {
        self.init(
            id: id, source: source, type: type, subject: subject, time: Date(), correlationid: context.correlationID,
            causationid: context.causationID, traceparent: context.traceparent, tracestate: context.tracestate,
            expirytime: expirytime, replyto: replyto)
    }
}
