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
        var group: String?
        var deduplicationID: String?
        /// Whether the queue is a FIFO queue.
        var isOrdered = false
    }

    /// What a message is answered with that was sent, or that is a duplicate of one that was.
    struct Sent: Sendable {
        let messageID: String
        let sequence: Int64
        /// In FIFO queues and topics it grows from message to message.
        var sequenceNumber: String { String(10_000_000_000_000_000_000 + UInt64(sequence)) }
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
            let place =
                copy.isOrdered
                ? try placeInGroup(copy.group, queue: copy.queue, transaction) : copy.visibleAt
            try transaction.execute(
                """
                INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id, copies,
                    message_id, subscription, group_id, deduplication_id, held_until_ms)
                VALUES (\(sequence), \(copy.queue), \(place), \(sentAt), 0, \(first), \(copies.count),
                    \(copy.messageID), \(copy.subscription), \(copy.group), \(copy.deduplicationID),
                    \(copy.isOrdered ? copy.visibleAt : nil))
                """)
            return QueuedMessage(
                sequence: sequence, messageID: copy.messageID, visibleAt: copy.visibleAt, sentAt: sentAt,
                bodyID: first, subscription: copy.subscription, group: copy.group,
                deduplicationID: copy.deduplicationID, content: content)
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
                AND message_id = \(messageID) RETURNING body_id, copies, visible_at_ms, held_until_ms, group_id
                """
            } else {
                """
                DELETE FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue)
                RETURNING body_id, copies, visible_at_ms, held_until_ms, group_id
                """
            }
        guard let row = try transaction.row(matching) else { return false }
        try promoteNext(after: row, queue: queue, transaction)
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
    func save(
        _ returns: [QueueState.Return], queue: Int64, isOrdered: Bool, _ transaction: any Transaction
    ) throws {
        for change in returns {
            let statement: SQL =
                if isOrdered {
                    """
                    UPDATE messages SET held_until_ms = \(change.visibleAt), receive_count = \(change.receiveCount),
                        first_received_at_ms = \(change.firstReceivedAt)
                    WHERE sequence = \(change.sequence) AND queue_id = \(queue)
                    """
                } else {
                    """
                    UPDATE messages SET visible_at_ms = \(change.visibleAt), receive_count = \(change.receiveCount),
                        first_received_at_ms = \(change.firstReceivedAt)
                    WHERE sequence = \(change.sequence) AND queue_id = \(queue)
                    """
                }
            try transaction.execute(statement)
        }
    }

    /// Moves messages to the dead-letter queue; they keep id, body and attributes, and the time of sending.
    /// - Returns: the messages that were still there, as the other queue has them.
    func move(
        _ sequences: [Int64], from queue: QueueRecord, to target: Int64, now: Milliseconds,
        _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        try sequences.compactMap { sequence in
            if queue.attributes.isFIFO {
                return try moveInOrder(sequence, from: queue, to: target, now: now, transaction)
            }
            return try transaction.row(
                """
                UPDATE messages SET queue_id = \(target), visible_at_ms = \(now), dead_letter_source = \(queue.name)
                WHERE sequence = \(sequence) AND queue_id = \(queue.id) RETURNING *
                """
            ).map(message)
        }
    }

    /// The next messages of a queue, with their contents.
    func page(
        _ request: QueueState.PageRequest, of queue: QueueRecord, _ transaction: any Transaction
    ) throws -> QueueState.Page {
        switch request.start {
        case .next(let position) where !queue.attributes.isFIFO:
            try page(from: position, limit: request.limit, queue: queue.id, transaction)
        case .next(let position):
            try groups(from: position, limit: request.limit, queue: queue.id, transaction)
        case .groups(let starts):
            try rest(of: starts, limit: request.limit, queue: queue.id, transaction)
        }
    }

    private func page(
        from position: Position, limit: Int, queue: Int64, _ transaction: any Transaction
    ) throws -> QueueState.Page {
        let messages = try transaction.rows(
            """
            SELECT messages.*, bodies.body, bodies.body_digest, bodies.attributes, bodies.attributes_digest,
                bodies.hole, bodies.sender, bodies.trace_header
            FROM messages LEFT JOIN bodies ON bodies.id = messages.body_id AND bodies.size <= 8192
            WHERE queue_id = \(queue)
            AND (visible_at_ms, sequence) >= (\(position.visibleAt), \(position.sequence))
            ORDER BY visible_at_ms, sequence LIMIT \(limit)
            """
        ).map(messageWithContent)
        let last = messages.count < limit ? nil : messages.last
        return QueueState.Page(
            messages: messages,
            end: last.map { Position(visibleAt: $0.visibleAt, sequence: $0.sequence + 1) })
    }

    /// Contents by the id of the body.
    func contents(_ ids: [Int64], _ transaction: any Transaction) throws -> [Int64: MessageContent] {
        let rows = try transaction.rows("SELECT * FROM bodies WHERE id IN (\(list: ids))")
        return try Dictionary(rows.map { (try $0.get("id"), try content($0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// A row of `messages` with the columns of its body, which are NULL if the body is too large to be read ahead.
    func messageWithContent(_ row: Row) throws -> QueuedMessage {
        var message = try message(row)
        if try row.get("body", as: String?.self) != nil { message.content = try content(row) }
        return message
    }

    func message(_ row: Row) throws -> QueuedMessage {
        let heldUntil: Milliseconds? = try row.get("held_until_ms")
        return QueuedMessage(
            sequence: try row.get("sequence"), messageID: try row.get("message_id"),
            visibleAt: try heldUntil ?? row.get("visible_at_ms"), sentAt: try row.get("sent_at_ms"),
            receiveCount: try row.get("receive_count"), firstReceivedAt: try row.get("first_received_at_ms"),
            bodyID: try row.get("body_id"), subscription: try row.get("subscription"),
            deadLetterSource: try row.get("dead_letter_source"), group: try row.get("group_id"),
            deduplicationID: try row.get("deduplication_id"))
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
