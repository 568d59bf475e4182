import Foundation
import Persistence
import Synchronization

/// Messages on disk.
extension BrokerStore {
    /// One copy of a message for one queue.
    struct Copy: Sendable {
        let queue: Int64
        let messageID: String
        let visibleAt: Milliseconds
        var subscription: String?
    }

    /// Stores a message with all its copies.
    func insert(
        _ content: MessageContent, copies: [Copy], sentAt: Milliseconds, _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        let first = try sequences.take(copies.count, transaction)
        try transaction.execute(
            """
            INSERT INTO bodies (id, size, body_digest, attributes, attributes_digest, hole, sender, trace_header, body)
            VALUES (\(first), \(content.size), \(content.bodyDigest), \(content.attributes),
                \(content.attributesDigest), \(content.hole), \(content.sender), \(content.traceHeader),
                \(content.body))
            """)
        return try copies.enumerated().map { index, copy in
            let sequence = first + Int64(index)
            try transaction.execute(
                """
                INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id, copies,
                    message_id, subscription)
                VALUES (\(sequence), \(copy.queue), \(copy.visibleAt), \(sentAt), 0, \(first), \(copies.count),
                    \(copy.messageID), \(copy.subscription))
                """)
            return QueuedMessage(
                sequence: sequence, messageID: copy.messageID, visibleAt: copy.visibleAt, sentAt: sentAt,
                bodyID: first, subscription: copy.subscription, content: content)
        }
    }

    /// Deletes a message, and its body with the last copy.
    /// - Returns: whether it was there.
    @discardableResult
    func delete(
        _ sequence: Int64, queue: Int64, messageID: String? = nil, _ transaction: any Transaction
    ) throws -> Bool {
        let matching: SQL =
            if let messageID {
                """
                DELETE FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue)
                AND message_id = \(messageID) RETURNING body_id, copies
                """
            } else {
                """
                DELETE FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue) RETURNING body_id, copies
                """
            }
        guard let row = try transaction.row(matching) else { return false }
        let body: Int64 = try row.get("body_id")
        let copies: Int64 = try row.get("copies")
        if copies == 1 {
            try transaction.execute("DELETE FROM bodies WHERE id = \(body)")
        } else {
            try transaction.execute(
                """
                DELETE FROM bodies WHERE id = \(body) AND NOT EXISTS
                (SELECT 1 FROM messages WHERE sequence >= \(body) AND sequence < \(body + copies))
                """)
        }
        return true
    }

    func contains(_ sequence: Int64, queue: Int64, messageID: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.row(
            """
            SELECT 1 AS found FROM messages
            WHERE sequence = \(sequence) AND queue_id = \(queue) AND message_id = \(messageID)
            """) != nil
    }

    /// Gives messages their new place.
    func save(_ returns: [QueueState.Return], queue: Int64, _ transaction: any Transaction) throws {
        for change in returns {
            try transaction.execute(
                """
                UPDATE messages SET visible_at_ms = \(change.visibleAt), receive_count = \(change.receiveCount),
                    first_received_at_ms = \(change.firstReceivedAt)
                WHERE sequence = \(change.sequence) AND queue_id = \(queue)
                """)
        }
    }

    /// Moves messages to the dead-letter queue; they keep id, body and attributes, and the time of sending.
    /// - Returns: the messages that were still there, as the other queue has them.
    func move(
        _ sequences: [Int64], from queue: QueueRecord, to target: Int64, now: Milliseconds,
        _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        try sequences.compactMap { sequence in
            try transaction.row(
                """
                UPDATE messages SET queue_id = \(target), visible_at_ms = \(now), dead_letter_source = \(queue.name)
                WHERE sequence = \(sequence) AND queue_id = \(queue.id) RETURNING *
                """
            ).map(message)
        }
    }

    /// The next messages of a queue from a position on, with their contents.
    func page(_ request: QueueState.PageRequest, queue: Int64, _ transaction: any Transaction) throws -> [QueuedMessage]
    {
        try transaction.rows(
            """
            SELECT messages.*, bodies.body, bodies.body_digest, bodies.attributes, bodies.attributes_digest,
                bodies.hole, bodies.sender, bodies.trace_header
            FROM messages LEFT JOIN bodies ON bodies.id = messages.body_id AND bodies.size <= 8192
            WHERE queue_id = \(queue)
            AND (visible_at_ms, sequence) >= (\(request.from.visibleAt), \(request.from.sequence))
            ORDER BY visible_at_ms, sequence LIMIT \(request.limit)
            """
        ).map { row in
            var message = try message(row)
            if try row.get("body", as: String?.self) != nil { message.content = try content(row) }
            return message
        }
    }

    /// Contents by the id of the body.
    func contents(_ ids: [Int64], _ transaction: any Transaction) throws -> [Int64: MessageContent] {
        let rows = try transaction.rows("SELECT * FROM bodies WHERE id IN (\(list: ids))")
        return try Dictionary(rows.map { (try $0.get("id"), try content($0)) }, uniquingKeysWith: { first, _ in first })
    }

    private func message(_ row: Row) throws -> QueuedMessage {
        QueuedMessage(
            sequence: try row.get("sequence"), messageID: try row.get("message_id"),
            visibleAt: try row.get("visible_at_ms"), sentAt: try row.get("sent_at_ms"),
            receiveCount: try row.get("receive_count"), firstReceivedAt: try row.get("first_received_at_ms"),
            bodyID: try row.get("body_id"), subscription: try row.get("subscription"),
            deadLetterSource: try row.get("dead_letter_source"))
    }

    private func content(_ row: Row) throws -> MessageContent {
        MessageContent(
            body: try row.get("body"), bodyDigest: try row.get("body_digest"), attributes: try row.get("attributes"),
            attributesDigest: try row.get("attributes_digest"), hole: try row.get("hole"),
            sender: try row.get("sender"), traceHeader: try row.get("trace_header"))
    }
}

/// Hands out sequences, of which none is ever used twice, not even after a crash: the disk knows a number that all of
/// them are below, raised in the transaction that first needs more. A restart goes on from there.
final class SequenceAllocator: Sendable {
    private struct State {
        var next: Int64
        var ceiling: Int64
    }

    private let state: Mutex<State>
    private static let block: Int64 = 1 << 20

    init(ceiling: Int64) { state = Mutex(State(next: ceiling, ceiling: ceiling)) }

    /// Takes consecutive sequences inside a write, of which only one runs at a time. A rollback leaves a gap.
    func take(_ count: Int, _ transaction: any Transaction) throws -> Int64 {
        let (first, end, ceiling) = state.withLock { state in
            let first = state.next
            state.next += Int64(count)
            return (first, state.next, state.ceiling)
        }
        if end > ceiling {
            let raised = end + Self.block
            try transaction.execute("UPDATE sequences SET ceiling = \(raised) WHERE ceiling < \(raised)")
            transaction.onCommit { self.state.withLock { $0.ceiling = max($0.ceiling, raised) } }
        }
        return first
    }
}
