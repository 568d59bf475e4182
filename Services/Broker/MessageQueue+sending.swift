import Persistence

/// Taking in what is sent.
extension MessageQueue {
    struct Outgoing: Sendable {
        let content: MessageContent
        let delay: Milliseconds
        var group: String?
        var deduplicationID: String?
    }

    /// Stores messages and returns their ids once they are on disk. A FIFO queue doesn't store what was sent to it in the
    /// last five minutes, and returns what it returned then.
    func send(_ messages: [Outgoing]) async throws -> [BrokerStore.Sent] {
        try await context.store.database.write { [context, name] transaction in
            guard let queue = try context.store.queueID(name, transaction) else { throw AWSError.queueDoesNotExist }
            let now = context.clock.now()
            let (sent, stored) =
                messages.allSatisfy { $0.group == nil }
                ? try self.share(messages, queue: queue, now: now, transaction)
                : try self.copies(messages, queue: queue, now: now, transaction)
            if !stored.isEmpty { transaction.onCommit { self.accept(stored) } }
            return sent
        }
    }

    /// Stores messages that nothing is known of but their delay.
    private func share(
        _ messages: [Outgoing], queue: Int64, now: Milliseconds, _ transaction: any Transaction
    ) throws -> (sent: [BrokerStore.Sent], stored: [QueuedMessage]) {
        var sent: [BrokerStore.Sent] = []
        var stored: [QueuedMessage] = []
        for start in stride(from: 0, to: messages.count, by: Share.mostMembers) {
            let batch = Array(messages[start...].prefix(Share.mostMembers))
            let ids = MessageIDs()
            let shares = Dictionary(grouping: batch.indices) { batch[$0].delay }.map { delay, members in
                BrokerStore.NewShare(queue: queue, visibleAt: now + delay, members: members, ids: ids)
            }
            sent += batch.indices.map { BrokerStore.Sent(messageID: ids.id($0), sequence: 0) }
            stored += try context.store.insert(batch.map(\.content), shares: shares, sentAt: now, transaction).joined()
        }
        return (sent, stored)
    }

    /// Stores messages that belong to groups.
    private func copies(
        _ messages: [Outgoing], queue: Int64, now: Milliseconds, _ transaction: any Transaction
    ) throws -> (sent: [BrokerStore.Sent], stored: [QueuedMessage]) {
        var stored: [QueuedMessage] = []
        let sent = try messages.map { message in
            if let original = try original(
                group: message.group, deduplicationID: message.deduplicationID, in: queue, now: now, transaction)
            {
                return original
            }
            let copy = copy(
                in: queue, visibleAt: now + message.delay, group: message.group,
                deduplicationID: message.deduplicationID)
            stored += try context.store.insert(message.content, copies: [copy], sentAt: now, transaction)
            let sent = BrokerStore.Sent(messageID: copy.messageID, sequence: stored.last?.sequence ?? 0)
            try remember(
                sent, group: message.group, deduplicationID: message.deduplicationID, in: queue, now: now, transaction)
            return sent
        }
        return (sent, stored)
    }

    /// A message as it is stored for this queue.
    func copy(
        in queue: Int64, visibleAt: Milliseconds, subscription: String? = nil, group: String?, deduplicationID: String?
    ) -> BrokerStore.Copy {
        BrokerStore.Copy(
            queue: queue, messageID: MessageID.make(), visibleAt: visibleAt, subscription: subscription, group: group,
            deduplicationID: deduplicationID, isOrdered: record.attributes.isFIFO)
    }

    /// What a FIFO queue answered to the message of which this one would be a duplicate.
    func original(
        group: String?, deduplicationID: String?, in queue: Int64, now: Milliseconds, _ transaction: any Transaction
    ) throws -> BrokerStore.Sent? {
        guard let id = deduplicationID, record.attributes.isFIFO else { return nil }
        return try context.store.original(
            of: id, owner: BrokerStore.owner(queue: queue), scope: deduplicationScope(group), now: now, transaction)
    }

    func remember(
        _ sent: BrokerStore.Sent, group: String?, deduplicationID: String?, in queue: Int64, now: Milliseconds,
        _ transaction: any Transaction
    ) throws {
        guard let id = deduplicationID, record.attributes.isFIFO else { return }
        try context.store.remember(
            sent, deduplicationID: id, owner: BrokerStore.owner(queue: queue), scope: deduplicationScope(group),
            now: now, transaction)
    }

    private func deduplicationScope(_ group: String?) -> String {
        record.attributes.deduplicatesByGroup ? group ?? "" : ""
    }

    /// Takes over messages that were committed to this queue.
    func accept(_ messages: [QueuedMessage]) {
        metrics.sent.increment(by: messages.count)
        apply { $0.sent(messages, now: $1) }
    }
}
