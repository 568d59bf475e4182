import Logging
import Persistence

/// What a queue does on disk besides answering requests.
extension MessageQueue {
    func perform(_ effects: QueueState.Effects) async {
        if !effects.returns.isEmpty {
            await attempt("save messages that are visible again") { queue, transaction in
                let returns = self.current(effects.returns)
                try self.context.store.save(
                    returns, queue: queue.id, isOrdered: queue.attributes.isFIFO, transaction)
                transaction.onCommit { self.apply { $0.returned(returns, now: $1) } }
            } failed: {
                $0.returnsFailed(effects.returns, now: $1)
            }
        }
        if !effects.expired.isEmpty {
            await attempt("delete expired messages") { queue, transaction in
                try self.context.store.delete(
                    effects.expired.map { BrokerStore.Doomed(sequence: $0) }, queue: queue.id, transaction)
                transaction.onCommit {
                    self.metrics.expired.increment(by: effects.expired.count)
                    self.apply { $0.left(effects.expired, now: $1) }
                }
            } failed: {
                $0.writeFailed(effects.expired, now: $1)
            }
        }
        if !effects.redriven.isEmpty {
            await attempt("move messages to the dead-letter queue") { queue, transaction in
                try self.redrive(effects.redriven, queue, transaction)
            } failed: {
                $0.writeFailed(effects.redriven, now: $1)
            }
        }
        if let request = effects.load { await load(request) }
    }

    private func redrive(_ sequences: [Int64], _ queue: Record, _ transaction: any Transaction) throws {
        guard let target = queue.attributes.redrivePolicy?.queue,
            let id = try context.store.queueID(target, transaction)
        else { throw AWSError.queueDoesNotExist }
        let moved = try context.store.move(
            sequences, from: queue, to: id, now: context.clock.now(), transaction)
        transaction.onCommit {
            self.metrics.redriven.increment(by: moved.count)
            self.apply { $0.left(sequences, now: $1) }
            self.context.queue(target)?.accept(moved)
        }
    }

    private func load(_ request: QueueState.PageRequest) async {
        // On the writing connection, so that the page takes its place in the order of the commits.
        let queue = record
        do {
            try await context.store.database.write { transaction in
                let page = try self.context.store.page(request, of: queue, transaction)
                transaction.onCommit { self.apply { $0.loaded(page, for: request, now: $1) } }
            }
        } catch {
            context.logger.warning(
                "cannot read the next messages", metadata: ["queue": "\(name)", "error": "\(error)"])
            apply { state, now in
                state.loadFailed(request, now: now)
                return QueueState.Effects()
            }
        }
    }

    private func attempt(
        _ what: String, _ body: @escaping @Sendable (Record, any Transaction) throws -> Void,
        failed: (inout QueueState, Milliseconds) -> QueueState.Effects
    ) async {
        let queue = record
        do {
            try await context.store.database.write { try body(queue, $0) }
        } catch {
            context.logger.warning("cannot \(what)", metadata: ["queue": "\(name)", "error": "\(error)"])
            apply(failed)
        }
    }
}
