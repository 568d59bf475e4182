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

    /// What a queue gets of messages that come together.
    struct NewShare: Sendable {
        let queue: Int64
        let visibleAt: Milliseconds
        /// Which of the contents, in their order.
        let members: [Int]
        let ids: MessageIDs
        var subscription: String?
    }

    /// Stores messages that came together, at most ``Share/mostMembers``.
    /// - Returns: for each share its messages.
    func insert(
        _ contents: [MessageContent], shares: [NewShare], sentAt: Milliseconds, _ transaction: any Transaction
    ) throws -> [[QueuedMessage]] {
        precondition(contents.count <= Share.mostMembers)
        let batch = try insert(contents, span: contents.count * shares.count, transaction)
        return try shares.enumerated().map { index, share in
            let first = batch + Int64(index * contents.count)
            let members = share.members.reduce(0 as Int64) { $0 | 1 << Int64($1) }
            try transaction.execute(
                """
                INSERT INTO shares (first, queue_id, visible_at_ms, sent_at_ms, batch_id, members, count, ids,
                    subscription)
                VALUES (\(first), \(share.queue), \(share.visibleAt), \(sentAt), \(batch), \(members),
                    \(share.members.count), \(Data(share.ids.bytes)), \(share.subscription))
                """)
            return share.members.map { member in
                QueuedMessage(
                    sequence: first + Int64(member), messageID: share.ids.id(member), visibleAt: share.visibleAt,
                    sentAt: sentAt, bodyID: batch + Int64(member), subscription: share.subscription,
                    content: contents[member])
            }
        }
    }

    /// Stores a message with all its copies, each of which stands alone.
    func insert(
        _ content: MessageContent, copies: [Copy], sentAt: Milliseconds, _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        let first = try insert([content], span: copies.count, transaction)
        return try copies.enumerated().map { index, copy in
            let sequence = first + Int64(index)
            let place =
                copy.isOrdered
                ? try placeInGroup(copy.group, queue: copy.queue, transaction) : copy.visibleAt
            try transaction.execute(
                """
                INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id,
                    message_id, subscription, group_id, deduplication_id, held_until_ms)
                VALUES (\(sequence), \(copy.queue), \(place), \(sentAt), 0, \(first), \(copy.messageID),
                    \(copy.subscription), \(copy.group), \(copy.deduplicationID),
                    \(copy.isOrdered ? copy.visibleAt : nil))
                """)
            return QueuedMessage(
                sequence: sequence, messageID: copy.messageID, visibleAt: copy.visibleAt, sentAt: sentAt,
                bodyID: first, subscription: copy.subscription, group: copy.group,
                deduplicationID: copy.deduplicationID, content: content)
        }
    }

    /// Stores the contents of messages.
    /// - Parameter span: how many copies there are of them.
    /// - Returns: the id of the batch, which is the first of their sequences too.
    private func insert(_ contents: [MessageContent], span: Int, _ transaction: any Transaction) throws -> Int64 {
        let batch = try sequences.take(span, transaction)
        try transaction.execute(
            """
            INSERT INTO batches (id, span, contents) VALUES (\(batch), \(span), \(ContentCoding.encode(contents)))
            """)
        return batch
    }

    /// A message that is to be deleted: if its id is given, only if it is that one.
    struct Doomed: Sendable {
        let sequence: Int64
        var messageID: String?
    }

    /// Deletes messages of a queue, and a batch with the last of its messages.
    /// - Returns: those that were there.
    @discardableResult
    func delete(_ doomed: [Doomed], queue: Int64, _ transaction: any Transaction) throws -> [Int64] {
        var deleted: [Int64] = []
        var share: Share?
        // Messages that came together are mostly deleted together, and then it is one statement for all of them.
        for message in doomed.sorted(by: { $0.sequence < $1.sequence }) {
            if share?.holds(message.sequence) != true {
                if let share { try save(share, transaction) }
                share = try self.share(holding: message.sequence, queue: queue, transaction)
            }
            if let id = share?.messageID(message.sequence) {
                guard message.messageID ?? id == id else { continue }
                share?.remove(message.sequence)
            } else {
                guard try deleteSingle(message, queue: queue, transaction) else { continue }
            }
            deleted.append(message.sequence)
        }
        if let share { try save(share, transaction) }
        return deleted
    }

    /// - Returns: whether it was there.
    @discardableResult
    func delete(
        _ sequence: Int64, queue: Int64, messageID: String? = nil, _ transaction: any Transaction
    ) throws -> Bool {
        try !delete([Doomed(sequence: sequence, messageID: messageID)], queue: queue, transaction).isEmpty
    }

    private func deleteSingle(_ message: Doomed, queue: Int64, _ transaction: any Transaction) throws -> Bool {
        let row = try transaction.row(
            """
            DELETE FROM messages WHERE sequence = \(message.sequence) AND queue_id = \(queue)
            AND message_id = ifnull(\(message.messageID), message_id)
            RETURNING body_id, visible_at_ms, held_until_ms, group_id
            """)
        guard let row else { return false }
        try promoteNext(after: row, queue: queue, transaction)
        try release(row.get("body_id"), transaction)
        return true
    }

    /// Deletes the batch that a content is in, if none of its messages is left.
    func release(_ content: Int64, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            DELETE FROM batches WHERE id = (SELECT id FROM batches WHERE id <= \(content) ORDER BY id DESC LIMIT 1)
            AND NOT EXISTS (SELECT 1 FROM shares WHERE first >= id AND first < id + span)
            AND NOT EXISTS (SELECT 1 FROM messages WHERE sequence >= id AND sequence < id + span)
            """)
    }

    func contains(_ sequence: Int64, queue: Int64, messageID: String, _ transaction: any Transaction) throws -> Bool {
        if let share = try share(holding: sequence, queue: queue, transaction) {
            return share.messageID(sequence) == messageID
        }
        return try transaction.row(
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
            if !isOrdered { try single(change.sequence, queue: queue, transaction) }
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
            try single(sequence, queue: queue.id, transaction)
            return try transaction.row(
                """
                UPDATE messages SET queue_id = \(target), visible_at_ms = \(now), dead_letter_source = \(queue.name)
                WHERE sequence = \(sequence) AND queue_id = \(queue.id) RETURNING *
                """
            ).map(message)
        }
    }

    /// Takes a message out of its share to stand alone, if it is in one.
    private func single(_ sequence: Int64, queue: Int64, _ transaction: any Transaction) throws {
        guard var share = try share(holding: sequence, queue: queue, transaction),
            let id = share.messageID(sequence)
        else { return }
        try transaction.execute(
            """
            INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id, message_id,
                subscription)
            VALUES (\(sequence), \(queue), \(share.visibleAt), \(share.sentAt), 0, \(share.content(sequence)), \(id),
                \(share.subscription))
            """)
        share.remove(sequence)
        try save(share, transaction)
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
