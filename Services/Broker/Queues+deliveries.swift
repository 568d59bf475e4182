import Persistence

/// Queues in which notifications wait for an HTTP endpoint. They are queues like others, so what holds for a message
/// holds for a delivery: it is on disk before the publisher is answered, it shares its body with the other copies, how
/// often and until when it was tried survives a crash, and what is in memory is bounded.
extension Queues {
    /// As long as any queue may; a delivery policy ends much sooner.
    private static let retention = ["MessageRetentionPeriod": "1209600"]

    func createDeliveries(_ name: String, _ transaction: any Transaction) throws {
        let record = try store.createQueue(
            name, attributes: QueueAttributes(checking: Self.retention), tags: [:], now: clock.now(), transaction)
        transaction.onCommit { self.add(record, stored: 0) }
    }

    /// Drops all that waits.
    func emptyDeliveries(_ name: String, _ transaction: any Transaction) throws {
        guard let record = try store.queue(named: name, transaction) else { return }
        try store.purgeQueue(record, now: clock.now(), transaction)
        guard let emptied = try store.queue(named: name, transaction) else { return }
        transaction.onCommit {
            self.find(name)?.update(emptied)
            self.sweep()
        }
    }

    func deleteDeliveries(_ name: String, _ transaction: any Transaction) throws {
        guard let id = try store.queueID(name, transaction) else { return }
        try store.deleteQueue(id, now: clock.now(), transaction)
        transaction.onCommit {
            self.remove(name)
            self.sweep()
        }
    }
}
