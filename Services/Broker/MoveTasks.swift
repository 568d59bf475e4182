import Foundation
import Logging

/// Moves messages of dead-letter queues to where they came from, or to another queue.
///
/// A task works like a consumer: it receives some messages, and one transaction stores them in their new queue, deletes
/// them in the old one and counts them. So it takes nothing that others have in flight, keeps the order of a FIFO queue,
/// and goes on after a crash where it was.
struct MoveTasks: Sendable {
    let store: BrokerStore
    let queues: Queues
    let clock: any BrokerClock
    let work: BackgroundWork
    let logger: Logger

    /// How many messages are moved at once.
    private static let slice = 10
    /// How long a message is kept from others while it is moved, and when a failed step is repeated.
    private static let visibility: Milliseconds = 30_000
    private static let retryDelay: Milliseconds = 1000

    /// Goes on with what was under way.
    func open() async throws {
        for task in try await store.database.read({ [store] in try store.activeMoveTasks($0) }) { schedule(task.id) }
    }

    func start(from source: String, to destination: String?, rate: Int?) async throws -> MoveTask {
        let queue = try queues.get(source)
        let task = MoveTask(
            id: MessageID.make(), source: source, destination: destination, rate: rate,
            toMove: queue.counts().visible, startedAt: clock.now())
        try await store.database.write { [store] transaction in
            guard let id = try store.queueID(source, transaction) else { throw AWSError.queueDoesNotExist }
            guard try store.moveTasks(of: id, limit: 10, transaction).allSatisfy({ !$0.status.isActive }) else {
                throw AWSError.invalidParameterValue(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
                )
            }
            try store.insert(task, source: id, transaction)
            transaction.onCommit { schedule(task.id) }
        }
        return task
    }

    /// The latest tasks of a queue.
    func list(of source: String, limit: Int) async throws -> [MoveTask] {
        try await store.database.read { [store] transaction in
            guard let id = try store.queueID(source, transaction) else { throw AWSError.queueDoesNotExist }
            return try store.moveTasks(of: id, limit: limit, transaction)
        }
    }

    /// Ends a task before its next step, and returns how many messages it has moved.
    func cancel(_ id: String) async throws -> Int {
        try await store.database.write { [store] transaction in
            guard var task = try store.moveTask(id, transaction) else {
                throw AWSError.resourceNotFound("Task does not exist.")
            }
            guard task.status == .running else {
                throw AWSError.unsupported("Only active tasks can be cancelled.")
            }
            task.status = .cancelling
            try store.update(task, transaction)
            transaction.onCommit { schedule(id) }
            return task.moved
        }
    }

    // MARK: Steps

    private func schedule(_ id: String, at time: Milliseconds? = nil) {
        guard let time else { return work.submit { await step(id) } }
        clock.call(at: time) { work.submit { await step(id) } }
    }

    /// Moves some messages, and orders the next step.
    private func step(_ id: String) async {
        let started = clock.now()
        do {
            guard let task = try await store.database.read({ [store] in try store.moveTask(id, $0) }),
                task.status.isActive
            else { return }
            guard task.status == .running, task.moved < task.toMove, let source = queues.find(task.source) else {
                return try await end(id, as: task.status == .cancelling ? .cancelled : .completed)
            }
            let size = min(Self.slice, task.rate ?? Self.slice, task.toMove - task.moved)
            let deliveries = try await source.receive(maximum: size, visibility: Self.visibility, wait: 0)
            guard !deliveries.isEmpty else {
                try Task.checkCancellation()
                // Nothing may also mean that it is still being read, or that its group is locked.
                guard source.isDrained else { return schedule(id, at: started + Self.retryDelay) }
                return try await end(id, as: .completed)
            }
            do {
                try await move(deliveries, id, from: source)
            } catch {
                source.giveBack(deliveries)
                guard let failure = error as? MoveFailure else { throw error }
                return try await end(id, as: .failed, failure.reason)
            }
            schedule(id, at: task.rate.map { started + Milliseconds(1000 * deliveries.count / $0) })
        } catch is CancellationError {
            return
        } catch {
            logger.warning("cannot move messages now", metadata: ["task": "\(id)", "error": "\(error)"])
            schedule(id, at: started + Self.retryDelay)
        }
    }

    private struct MoveFailure: Error {
        let reason: String
    }

    /// Stores messages in their new queues, where they are new messages: with another id, time and sequence.
    private func move(_ deliveries: [QueueState.Delivery], _ id: String, from source: MessageQueue) async throws {
        try await store.database.write { [store, queues, clock] transaction in
            guard var task = try store.moveTask(id, transaction), task.status == .running,
                let sourceID = try store.queueID(source.name, transaction)
            else { throw CancellationError() }
            var arrivals: [String: [QueuedMessage]] = [:]
            for delivery in deliveries {
                let message = delivery.message
                guard let content = message.content,
                    try store.delete(message.sequence, queue: sourceID, messageID: message.messageID, transaction)
                else { continue }
                guard let name = task.destination ?? message.deadLetterSource else {
                    throw MoveFailure(reason: "CouldNotDetermineMessageSource")
                }
                guard let target = queues.find(name), let targetID = try store.queueID(name, transaction),
                    target.record.attributes.isFIFO == source.record.attributes.isFIFO
                else { throw MoveFailure(reason: "AWS.SimpleQueueService.NonExistentQueue") }
                let copy = target.copy(
                    in: targetID, visibleAt: clock.now() + target.record.attributes.delay,
                    subscription: message.subscription, group: message.group,
                    deduplicationID: message.deduplicationID)
                arrivals[name, default: []] += try store.insert(
                    content, copies: [copy], sentAt: clock.now(), transaction)
                task.moved += 1
            }
            try store.update(task, transaction)
            transaction.onCommit { [arrivals] in
                source.left(deliveries.map(\.message.sequence))
                for (name, messages) in arrivals { queues.find(name)?.accept(messages) }
            }
        }
    }

    private func end(_ id: String, as status: MoveTask.Status, _ failure: String? = nil) async throws {
        try await store.database.write { [store] transaction in
            guard var task = try store.moveTask(id, transaction), task.status.isActive else { return }
            task.status = status
            task.failure = failure
            try store.update(task, transaction)
        }
    }
}
