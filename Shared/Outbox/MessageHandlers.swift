import Contracts
import Foundation
import Logging
import Messaging
import Metrics
import Persistence
import ServiceLifecycle
import Tracing

/// What a service does with each type of message: message in, one transaction, messages out.
///
/// A handler is synchronous and runs inside the transaction in which the inbox notes its message and the outbox takes
/// its answers: either all of it happens or nothing.
public struct MessageHandlers: Sendable {
    private let consumer: String
    private let database: any Database
    private let outbox: Outbox
    private let logger: Logger
    private let clock: any Clock<Duration>
    private let backoff = RetryPolicy(base: .milliseconds(200), longest: .seconds(5))
    private var handlers: [String: Handler] = [:]

    private typealias Handler = @Sendable (IncomingEvent, any Transaction) throws -> [OutgoingMessage]

    /// - Parameter consumer: the name under which the inbox notes messages.
    public init(
        consumer: String, database: any Database, outbox: Outbox, logger: Logger,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.consumer = consumer
        self.database = database
        self.outbox = outbox
        self.logger = logger
        self.clock = clock
    }

    /// Says what to do with messages of a type.
    public mutating func on<Payload: MessagePayload>(
        _ type: Payload.Type,
        _ handle: @escaping @Sendable (CloudEvent<Payload>, any Transaction) throws -> [OutgoingMessage]
    ) {
        handlers[type.type] = { incoming, transaction in
            let event: CloudEvent<Payload>
            do {
                event = try CloudEvent(attributes: incoming.attributes, body: incoming.body)
            } catch {
                throw Unprocessable("The message is no \(type.type): \(Self.reason(error)).")
            }
            return try handle(event, transaction)
        }
    }

    /// Handles a message once, however often it is delivered. For a ``QueueConsumer``.
    /// - Throws: ``Unprocessable`` if the type is unknown or the data isn't what the type says; `CancellationError` if the
    ///   process is to end while the database is away; what the handler or the database throws otherwise.
    public func handle(_ event: IncomingEvent) async throws {
        let attributes = event.attributes
        guard let handler = handlers[attributes.type] else {
            throw Unprocessable("The type '\(attributes.type)' is unknown to \(consumer).")
        }
        let isNew = try await withSpan("handle \(attributes.type)") { span in
            // By OpenTelemetry's conventions for CloudEvents.
            span.updateAttributes {
                $0["cloudevents.event_id"] = attributes.id
                $0["cloudevents.event_source"] = attributes.source
                $0["cloudevents.event_type"] = attributes.type
                $0["cloudevents.event_subject"] = attributes.subject
            }
            let context = MessageContext.current(causedBy: attributes)
            let isNew = try await commit { transaction in
                guard try Inbox.insert(attributes.id, consumer: consumer, in: transaction) else { return false }
                try outbox.append(try handler(event, transaction), context: context, in: transaction)
                return true
            }
            if !isNew {
                span.attributes["shop.inbox.hit"] = true
                span.attributes["shop.outcome"] = "duplicate"
            }
            return isNew
        }
        if !isNew {
            Counter(label: "inbox.duplicates", dimensions: [("consumer", consumer)]).increment()
        }
        logger.info(
            isNew ? "handled" : "skipped a duplicate",
            metadata: ["message_id": "\(attributes.id)", "type": "\(attributes.type)"])
    }

    /// Waits for a database that is away. That it is says nothing about the message, which a few such deliveries would bring
    /// among the dead letters; the ``QueueConsumer`` keeps it hidden meanwhile, and receives no more than are in hand. If nobody
    /// knows whether a commit was kept, the inbox does.
    private func commit<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        var failures = 0
        while true {
            do {
                return try await database.write(body)
            } catch let error as DatabaseError where error.isTransient {
                failures += 1
                if failures == 1 {
                    logger.warning("a message waits for the database", metadata: ["error": "\(error)"])
                }
                let delay = backoff.delay(attempt: failures)
                try await cancelWhenGracefulShutdown { [clock] in try await clock.sleep(for: delay) }
            }
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            "'\(path(context.codingPath + [key]))' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.dataCorrupted(let context):
            "'\(path(context.codingPath))' is wrong (\(context.debugDescription))"
        default: "\(error)"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }
}
