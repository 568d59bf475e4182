import Contracts
import Foundation
import Messaging
import Persistence

/// The transactional outbox: a message is a row, written in the transaction that changed the state, and so is sent if
/// and only if the change has happened. The ``Relay`` sends the rows.
public struct Outbox: Sendable {
    /// The CloudEvents source of what this service sends, `/services/NAME`.
    private let source: String
    /// Raised after each commit that wrote a row.
    let written = Signal()

    public init(service: String) { source = "/services/\(service)" }

    /// The tables of outbox, inbox and effects; the first migrations of each service that uses them.
    public static let migrations = [
        Migration(
            "outbox-001",
            """
            CREATE TABLE outbox (
                id INTEGER PRIMARY KEY,
                destination_kind TEXT NOT NULL,
                destination TEXT NOT NULL,
                partition_key TEXT NOT NULL,
                type TEXT NOT NULL,
                body TEXT NOT NULL,
                visible_at_ms INTEGER,
                created_at_ms INTEGER NOT NULL)
            """,
            """
            CREATE TABLE inbox (
                consumer TEXT NOT NULL,
                message_id TEXT NOT NULL,
                received_at_ms INTEGER NOT NULL,
                PRIMARY KEY (consumer, message_id))
            """,
            "CREATE INDEX inbox_by_age ON inbox (received_at_ms)",
            """
            CREATE TABLE effects (
                idempotency_key TEXT PRIMARY KEY,
                kind TEXT NOT NULL,
                payload TEXT NOT NULL,
                context TEXT NOT NULL,
                attempts INTEGER NOT NULL,
                due_at_ms INTEGER NOT NULL,
                last_error TEXT)
            """,
            "CREATE INDEX effects_by_due ON effects (due_at_ms)"),
        Migration(
            "outbox-002-traces", "ALTER TABLE outbox ADD COLUMN correlation_id TEXT",
            "ALTER TABLE outbox ADD COLUMN traceparent TEXT", "ALTER TABLE outbox ADD COLUMN tracestate TEXT"),
        Migration(
            "outbox-003-lanes",
            "ALTER TABLE effects ADD COLUMN lane TEXT",
            "DROP INDEX effects_by_due",
            // With the lane in it, the rows of a lane that is full are passed over without being read.
            "CREATE INDEX effects_by_due ON effects (due_at_ms, lane)",
            "CREATE INDEX effects_by_lane ON effects (lane)"),
    ]

    /// Writes messages into the transaction.
    /// - Parameter context: what led to them; see ``MessageContext/current(causedBy:)``.
    public func append(
        _ messages: [OutgoingMessage], context: MessageContext, in transaction: any Transaction, now: Date = Date()
    ) throws {
        for message in messages {
            let body = try encode(message.payload, message: message, context: context, now: now)
            let type = Swift.type(of: message.payload).type
            let visibleAt = message.delay > .zero ? now.addingTimeInterval(message.delay.inSeconds) : nil
            try transaction.execute(
                """
                INSERT INTO outbox
                    (destination_kind, destination, partition_key, type, body, visible_at_ms, created_at_ms,
                    correlation_id, traceparent, tracestate)
                VALUES (\(message.destination.kind), \(message.destination.name), \(message.partitionKey), \(type),
                    \(body), \(visibleAt.sqlValue), \(now), \(context.correlationID), \(context.traceparent),
                    \(context.tracestate))
                """)
        }
        if !messages.isEmpty { transaction.onCommit { [written] in written.raise() } }
    }

    private func encode(
        _ payload: some MessagePayload, message: OutgoingMessage, context: MessageContext, now: Date
    ) throws -> String {
        let attributes = EventAttributes(
            id: UUIDv7.make(at: now), source: source, type: Swift.type(of: payload).type, subject: message.subject,
            time: now, correlationid: context.correlationID, causationid: context.causationID,
            traceparent: context.traceparent, tracestate: context.tracestate, partitionkey: message.partitionKey)
        return try ContractJSON.encode(CloudEvent(attributes: attributes, data: payload))
    }
}

/// A row of the outbox.
struct OutboxRow: Sendable, Equatable {
    let id: Int64
    let destination: Destination
    let partitionKey: String
    let type: String
    let body: String
    let visibleAt: Date?
    var createdAt = Date.distantPast
    /// What led to it; `nil` in a row that an older version has written.
    var context: MessageContext?

    /// The oldest rows, in the order in which they were written.
    static func oldest(_ count: Int, in transaction: any Transaction) throws -> [OutboxRow] {
        try transaction.rows("SELECT * FROM outbox ORDER BY id LIMIT \(count)").map { row in
            OutboxRow(
                id: try row.get("id"),
                destination: try Destination(kind: row.get("destination_kind"), name: row.get("destination")),
                partitionKey: try row.get("partition_key"), type: try row.get("type"), body: try row.get("body"),
                visibleAt: try row.get("visible_at_ms"), createdAt: try row.get("created_at_ms"),
                context: try row.get("correlation_id", as: String?.self).map { correlationID in
                    MessageContext(
                        correlationID: correlationID, traceparent: try row.get("traceparent"),
                        tracestate: try row.get("tracestate"))
                })
        }
    }

    /// How many rows there are at most: counting them would cost more with each that is there.
    static func count(in transaction: any Transaction) throws -> Int64 {
        let row = try transaction.row("SELECT MIN(id) AS first, MAX(id) AS last FROM outbox")
        guard let first: Int64 = try row?.get("first", as: Int64?.self),
            let last = try row?.get("last", as: Int64?.self)
        else { return 0 }
        return last - first + 1
    }

    static func remove(_ ids: [Int64], in transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM outbox WHERE id IN (\(list: ids))")
    }
}

extension Destination {
    fileprivate var kind: String {
        switch self {
        case .topic: "topic"
        case .queue: "queue"
        }
    }

    fileprivate var name: String {
        switch self {
        case .topic(let topic): topic.rawValue
        case .queue(let queue): queue.rawValue
        }
    }

    fileprivate init(kind: String, name: String) throws {
        switch kind {
        case "topic": self = .topic(Topic(rawValue: name))
        case "queue": self = .queue(Queue(rawValue: name))
        default: throw DatabaseError.column("destination_kind", reason: "'\(kind)' is neither topic nor queue")
        }
    }
}
