import Foundation
import Persistence

/// What is left of a batch in one queue.
struct Share: Sendable {
    /// As many as a row can tell apart.
    static let mostMembers = 63

    let first: Int64
    let queue: Int64
    let visibleAt: Milliseconds
    let sentAt: Milliseconds
    let batch: Int64
    let ids: MessageIDs
    let subscription: String?
    /// A bit for each message that is there, the lowest for the one with the first sequence.
    private(set) var members: Int64
    private(set) var isChanged = false

    init(_ row: Row) throws {
        first = try row.get("first")
        queue = try row.get("queue_id")
        visibleAt = try row.get("visible_at_ms")
        sentAt = try row.get("sent_at_ms")
        batch = try row.get("batch_id")
        members = try row.get("members")
        subscription = try row.get("subscription")
        guard let ids = MessageIDs(try row.get("ids", as: Data.self)) else {
            throw DatabaseError.column("ids", reason: "it isn't 16 bytes long")
        }
        self.ids = ids
    }

    var count: Int { members.nonzeroBitCount }

    func holds(_ sequence: Int64) -> Bool {
        0..<Int64(Self.mostMembers) ~= sequence - first && members & 1 << (sequence - first) != 0
    }

    /// `nil` for a message that isn't there.
    func messageID(_ sequence: Int64) -> String? { holds(sequence) ? ids.id(Int(sequence - first)) : nil }

    /// The id of a message's content.
    func content(_ sequence: Int64) -> Int64 { batch + sequence - first }

    mutating func remove(_ sequence: Int64) {
        members &= ~(1 << (sequence - first))
        isChanged = true
    }

    /// Its messages, in the order of their sequences.
    var messages: [QueuedMessage] {
        (0..<Self.mostMembers).filter { members & 1 << Int64($0) != 0 }.map { member in
            QueuedMessage(
                sequence: first + Int64(member), messageID: ids.id(member), visibleAt: visibleAt, sentAt: sentAt,
                bodyID: batch + Int64(member), subscription: subscription)
        }
    }
}

extension BrokerStore {
    func share(holding sequence: Int64, queue: Int64, _ transaction: any Transaction) throws -> Share? {
        let row = try transaction.row("SELECT * FROM shares WHERE first <= \(sequence) ORDER BY first DESC LIMIT 1")
        guard let share = try row.map(Share.init), share.queue == queue, share.holds(sequence) else { return nil }
        return share
    }

    /// Writes what is left of a share.
    func save(_ share: Share, _ transaction: any Transaction) throws {
        guard share.isChanged else { return }
        if share.members == 0 { return try delete(share, transaction) }
        try transaction.execute(
            "UPDATE shares SET members = \(share.members), count = \(share.count) WHERE first = \(share.first)")
    }

    func delete(_ share: Share, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM shares WHERE first = \(share.first)")
        try release(share.batch, transaction)
    }

    // MARK: Reading what is next

    /// Contents larger than this are read when they are delivered, and so are those of a batch that is larger than the
    /// second: a page is of many.
    private static let largest = (content: 8192, batch: 10 * 8192)

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
        let singles = try transaction.rows(
            """
            SELECT * FROM messages WHERE queue_id = \(queue)
            AND (visible_at_ms, sequence) >= (\(position.visibleAt), \(position.sequence))
            ORDER BY visible_at_ms, sequence LIMIT \(limit)
            """
        ).map(message)
        let shared = try sharedMessages(from: position, limit: limit, queue: queue, transaction)
        let messages = Array((singles + shared).sorted { $0.position < $1.position }.prefix(limit))
        let last = messages.count < limit ? nil : messages.last
        return QueueState.Page(
            messages: try withContents(messages, transaction),
            end: last.map { Position(visibleAt: $0.visibleAt, sequence: $0.sequence + 1) })
    }

    /// The messages with their contents, but for those that are too large to be read ahead.
    func withContents(_ messages: [QueuedMessage], _ transaction: any Transaction) throws -> [QueuedMessage] {
        let contents = try contents(messages.map(\.bodyID), fromBatchesUpTo: Self.largest.batch, transaction)
        return messages.map { message in
            guard let content = contents[message.bodyID], content.size <= Self.largest.content else { return message }
            var message = message
            message.content = content
            return message
        }
    }

    private func sharedMessages(
        from position: Position, limit: Int, queue: Int64, _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        // A page may begin in the middle of a share.
        let (sequence, isBelow) = position.sequence.subtractingReportingOverflow(Int64(Share.mostMembers))
        var from = Position(visibleAt: position.visibleAt, sequence: isBelow ? .min : sequence)
        var messages: [QueuedMessage] = []
        while messages.count < limit {
            let shares = try transaction.rows(
                """
                SELECT * FROM shares WHERE queue_id = \(queue)
                AND (visible_at_ms, first) >= (\(from.visibleAt), \(from.sequence))
                ORDER BY visible_at_ms, first LIMIT 128
                """
            ).map(Share.init)
            for share in shares { messages += share.messages.filter { $0.position >= position } }
            guard shares.count == 128, let last = shares.last else { break }
            from = Position(visibleAt: last.visibleAt, sequence: last.first + 1)
        }
        return messages
    }

    /// Contents by their ids, but for those of batches that are larger than some bytes.
    func contents(
        _ ids: [Int64], fromBatchesUpTo size: Int = .max, _ transaction: any Transaction
    ) throws -> [Int64: MessageContent] {
        var found: [Int64: MessageContent] = [:]
        for id in Set(ids).sorted() where found[id] == nil {
            let row = try transaction.row(
                """
                SELECT id, CASE WHEN length(contents) <= \(size) THEN contents END AS contents
                FROM batches WHERE id <= \(id) ORDER BY id DESC LIMIT 1
                """)
            guard let row, let contents: Data = try row.get("contents") else { continue }
            let batch: Int64 = try row.get("id")
            // Of a batch mostly all is wanted.
            for (index, content) in try ContentCoding.decode(contents).enumerated() {
                found[batch + Int64(index)] = content
            }
        }
        return found
    }
}
