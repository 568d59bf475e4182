import Persistence

/// What follows from an attempt to deliver a message of this queue.
extension MessageQueue {
    func settle(_ delivery: QueueState.Delivery) async throws { _ = try await delete([handle(of: delivery)]) }

    func postpone(_ delivery: QueueState.Delivery, by delay: Milliseconds) async throws {
        _ = try await changeVisibility([VisibilityRequest(handle: handle(of: delivery), timeout: delay)])
    }

    /// Moves a message to a dead-letter queue, or deletes it if there is none.
    /// - Returns: whether it was moved.
    func giveUp(_ delivery: QueueState.Delivery, movingTo target: String?) async throws -> Bool {
        let (queue, sequence) = (record, delivery.message.sequence)
        return try await context.store.database.write { [context] transaction in
            let id = try target.flatMap { try context.store.queueID($0, transaction) }
            guard let target, let id else {
                try context.store.delete(sequence, queue: queue.id, transaction)
                transaction.onCommit { self.apply { $0.left([sequence], now: $1) } }
                return false
            }
            let moved = try context.store.moveUndelivered(
                sequence, from: queue, to: id, now: context.clock.now(), transaction)
            transaction.onCommit {
                self.apply { $0.left([sequence], now: $1) }
                context.queue(target)?.accept(moved)
            }
            return !moved.isEmpty
        }
    }

    private func handle(of delivery: QueueState.Delivery) -> ReceiptHandle {
        ReceiptHandle(
            queue: name, sequence: delivery.message.sequence, messageID: delivery.message.messageID,
            receipt: delivery.receipt)
    }
}
