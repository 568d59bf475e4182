import Persistence

/// Messages of FIFO queues on disk: which message is the first of its group, and what was sent before.
extension BrokerStore {
    /// The place of a message that is about to be sent: 0 if it is the first of its group, 1 if it stands behind others.
    func placeInGroup(_ group: String?, queue: Int64, _ transaction: any Transaction) throws -> Int64 {
        try first(of: group, queue: queue, transaction) == nil ? 0 : 1
    }

    private func first(of group: String?, queue: Int64, _ transaction: any Transaction) throws -> Int64? {
        try transaction.row(
            """
            SELECT sequence FROM messages
            WHERE queue_id = \(queue) AND group_id = \(group) AND held_until_ms IS NOT NULL
            ORDER BY sequence LIMIT 1
            """)?.get("sequence")
    }

    /// When the first message of a group has gone, the next one takes its place.
    /// - Parameter gone: the row as it was.
    func promoteNext(after gone: Row, queue: Int64, _ transaction: any Transaction) throws {
        guard try gone.get("held_until_ms", as: Milliseconds?.self) != nil,
            try gone.get("visible_at_ms", as: Int64.self) == 0
        else { return }
        let group: String? = try gone.get("group_id")
        guard let next = try first(of: group, queue: queue, transaction) else { return }
        try transaction.execute("UPDATE messages SET visible_at_ms = 0 WHERE sequence = \(next)")
    }

    /// Moves a message to a FIFO dead-letter queue, where it has the place in its group that its sequence gives it. Its time
    /// there counts anew, unlike a standard queue's.
    func moveInOrder(
        _ sequence: Int64, from queue: QueueRecord, to target: Int64, now: Milliseconds,
        _ transaction: any Transaction
    ) throws -> QueuedMessage? {
        guard
            let row = try transaction.row(
                "SELECT * FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue.id)")
        else { return nil }
        let group: String? = try row.get("group_id")
        let moved = try transaction.row(
            """
            UPDATE messages SET queue_id = \(target), visible_at_ms = 1, held_until_ms = \(now), sent_at_ms = \(now),
                dead_letter_source = \(queue.name)
            WHERE sequence = \(sequence) RETURNING *
            """
        ).map(message)
        try promoteNext(after: row, queue: queue.id, transaction)
        // It may have come in front of those that are there; no more than the first two can be in the wrong place.
        guard let first = try first(of: group, queue: target, transaction) else { return moved }
        try transaction.execute(
            """
            UPDATE messages SET visible_at_ms = (sequence <> \(first)) WHERE sequence IN (
                SELECT sequence FROM messages
                WHERE queue_id = \(target) AND group_id = \(group) AND held_until_ms IS NOT NULL
                ORDER BY sequence LIMIT 2)
            """)
        return moved
    }

    // MARK: Pages

    /// The next groups in the order of their first messages, each with what may be read of it at once.
    func groups(
        from position: Position, limit: Int, queue: Int64, _ transaction: any Transaction
    ) throws -> QueueState.Page {
        let most = max(1, limit / 8)
        let heads = try transaction.rows(
            """
            SELECT sequence, group_id FROM messages
            WHERE queue_id = \(queue) AND visible_at_ms = 0 AND sequence >= \(position.sequence)
            ORDER BY sequence LIMIT \(most)
            """
        ).map { QueueState.GroupStart(group: try $0.get("group_id"), from: try $0.get("sequence")) }
        var page = try rest(of: heads, limit: limit, queue: queue, transaction)
        if heads.count == most, let last = heads.last {
            page.end = Position(visibleAt: 0, sequence: last.from + 1)
        }
        return page
    }

    /// What comes next in groups whose earlier messages are known. They share the page.
    func rest(
        of starts: [QueueState.GroupStart], limit: Int, queue: Int64, _ transaction: any Transaction
    ) throws -> QueueState.Page {
        var page = QueueState.Page()
        let most = max(1, limit / max(1, starts.count))
        for start in starts {
            let messages = try transaction.rows(
                """
                SELECT * FROM messages
                WHERE queue_id = \(queue) AND group_id = \(start.group) AND held_until_ms IS NOT NULL
                AND sequence >= \(start.from) ORDER BY sequence LIMIT \(most)
                """
            ).map(message)
            page.messages += try withContents(messages, transaction)
            if messages.count == most { page.incomplete.insert(start.group) }
        }
        return page
    }

    // MARK: Deduplication

    /// How long a deduplication id is remembered.
    static let deduplicationInterval: Milliseconds = 300_000

    /// Names the queue or topic that remembers.
    static func owner(queue: Int64) -> String { "queue \(queue)" }
    static func owner(topic: String) -> String { "topic \(topic)" }

    /// The message that had this deduplication id in the last five minutes.
    /// - Parameter scope: the group, or nothing if ids count for the whole queue. What was sent while they did still counts.
    func original(
        of deduplicationID: String, owner: String, scope: String, now: Milliseconds, _ transaction: any Transaction
    ) throws -> Sent? {
        try transaction.row(
            """
            SELECT message_id, sequence FROM deduplications
            WHERE owner = \(owner) AND scope IN (\(scope), '') AND deduplication_id = \(deduplicationID)
            AND sent_at_ms > \(now - Self.deduplicationInterval)
            """
        ).map { Sent(messageID: try $0.get("message_id"), sequence: try $0.get("sequence")) }
    }

    /// Remembers a message, and forgets two whose time is over: ids come in the order of time, so the first are the
    /// oldest, and the table never grows beyond what was sent in five minutes.
    func remember(
        _ sent: Sent, deduplicationID: String, owner: String, scope: String, now: Milliseconds,
        _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT OR REPLACE INTO deduplications
                (owner, scope, deduplication_id, message_id, sequence, sent_at_ms)
            VALUES (\(owner), \(scope), \(deduplicationID), \(sent.messageID), \(sent.sequence), \(now))
            """)
        try transaction.execute(
            """
            DELETE FROM deduplications WHERE id IN (SELECT id FROM deduplications ORDER BY id LIMIT 2)
            AND sent_at_ms <= \(now - Self.deduplicationInterval)
            """)
    }
}
