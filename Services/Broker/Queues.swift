import Foundation
import Logging
import Persistence
import Synchronization

/// All queues by name.
final class Queues: Sendable {
    let store: BrokerStore
    let clock: any BrokerClock
    private let work: BackgroundWork
    private let logger: Logger
    private let byName = Mutex<[String: MessageQueue]>([:])

    /// What may be kept in memory for all queues together, and for one of them at the least and at the most.
    private static let messages = (all: 131_072, each: 256...16_384)
    private static let contentBytes = (all: 64 << 20, each: 16 << 10...32 << 20)

    init(store: BrokerStore, clock: any BrokerClock, work: BackgroundWork, logger: Logger) {
        self.store = store
        self.clock = clock
        self.work = work
        self.logger = logger
    }

    /// Takes up the queues on disk.
    func open() async throws {
        let (records, counts) = try await store.database.read { [store] transaction in
            (try store.queues(transaction), try store.countMessages(transaction))
        }
        for record in records { insert(record, stored: counts[record.id] ?? 0) }
        shareMemory()
        // A dead-letter queue may come later in the list than its sources.
        for queue in all { queue.refreshSettings() }
        sweep()
    }

    /// Those that clients know.
    var all: [MessageQueue] { withDeliveries.filter { !ResourceName.isDeliveries($0.name) } }

    /// All, those of HTTP subscriptions included.
    var withDeliveries: [MessageQueue] { byName.withLock { $0.values.sorted { $0.name < $1.name } } }

    func find(_ name: String) -> MessageQueue? { byName.withLock { $0[name] } }

    /// - Throws: `QueueDoesNotExist`.
    func get(_ name: String) throws(AWSError) -> MessageQueue {
        guard !ResourceName.isDeliveries(name), let queue = find(name) else { throw .queueDoesNotExist }
        return queue
    }

    /// Creates a queue. One that is there with the same attributes is as good.
    func create(_ name: String, attributes: QueueAttributes, tags: [String: String]) async throws {
        try ResourceName.checkQueue(name, isFIFO: attributes.isFIFO)
        try attributes.checkTogether()
        try await store.database.write { [store, clock] transaction in
            if let existing = try store.queue(named: name, transaction) {
                if let difference = existing.attributes.firstDifference(from: attributes) {
                    throw AWSError.queueNameExists(difference)
                }
                return
            }
            if try store.wasDeletedRecently(name, now: clock.now(), transaction) {
                throw AWSError.queueDeletedRecently
            }
            try self.checkTarget(of: attributes, source: name, transaction)
            let record = try store.createQueue(
                name, attributes: attributes, tags: tags, now: clock.now(), transaction)
            transaction.onCommit {
                self.add(record, stored: 0)
                self.refreshSources(of: name)
            }
        }
    }

    func setAttributes(_ name: String, _ attributes: QueueAttributes) async throws {
        try await setAttributes(name) { _ in attributes }
    }

    /// Sets what follows from the attributes that a queue has.
    func setAttributes(
        _ name: String, _ change: @escaping @Sendable (QueueAttributes) throws -> QueueAttributes
    ) async throws {
        try await store.database.write { [store, clock] transaction in
            guard let existing = try store.queue(named: name, transaction) else { throw AWSError.queueDoesNotExist }
            let attributes = try change(existing.attributes)
            let merged = existing.attributes.merging(attributes)
            try merged.checkTogether()
            try self.checkTarget(of: attributes, source: name, transaction)
            try store.updateQueue(existing.id, attributes: merged, now: clock.now(), transaction)
            guard let updated = try store.queue(named: name, transaction) else { throw AWSError.queueDoesNotExist }
            transaction.onCommit { self.find(name)?.update(updated) }
        }
    }

    /// Changes the tags of a queue.
    func setTags(_ name: String, _ change: @escaping @Sendable (inout [String: String]) throws -> Void) async throws {
        try await store.database.write { [store] transaction in
            guard let existing = try store.queue(named: name, transaction) else { throw AWSError.queueDoesNotExist }
            var tags = existing.tags
            try change(&tags)
            try store.updateQueue(existing.id, tags: tags, transaction)
            guard let updated = try store.queue(named: name, transaction) else { throw AWSError.queueDoesNotExist }
            transaction.onCommit { self.find(name)?.update(updated) }
        }
    }

    func delete(_ name: String) async throws {
        try await store.database.write { [store, clock] transaction in
            guard let queue = try store.queueID(name, transaction) else { throw AWSError.queueDoesNotExist }
            try store.deleteQueue(queue, now: clock.now(), transaction)
            transaction.onCommit {
                self.remove(name)
                self.refreshSources(of: name)
            }
        }
        sweep()
    }

    func purge(_ name: String) async throws {
        let queue = try get(name)
        try queue.beginPurge()
        do {
            try await store.database.write { [store, clock] transaction in
                guard let existing = try store.queue(named: name, transaction) else {
                    throw AWSError.queueDoesNotExist
                }
                try store.purgeQueue(existing, now: clock.now(), transaction)
                guard let emptied = try store.queue(named: name, transaction) else {
                    throw AWSError.queueDoesNotExist
                }
                transaction.onCommit { self.find(name)?.update(emptied) }
            }
        } catch {
            queue.purgeFailed()
            throw error
        }
        sweep()
    }

    /// Takes up a queue that was created.
    func add(_ record: BrokerStore.QueueRecord, stored: Int) {
        insert(record, stored: stored)
        shareMemory()
    }

    private func insert(_ record: BrokerStore.QueueRecord, stored: Int) {
        let context = QueueContext(
            store: store, clock: clock, work: work, logger: logger,
            queue: { [weak self] in self?.find($0) })
        let queue = MessageQueue(record, stored: stored, context: context)
        byName.withLock { $0[record.name] = queue }
    }

    /// Gives each queue its part of what may be kept in memory for all of them.
    private func shareMemory() {
        let queues = byName.withLock { Array($0.values) }
        let share = Self.share(among: queues.count)
        for queue in queues { queue.limitMemory(messages: share.messages, contentBytes: share.contentBytes) }
    }

    /// What each of so many queues may keep in memory.
    static func share(among count: Int) -> (messages: Int, contentBytes: Int) {
        func share(_ limit: (all: Int, each: ClosedRange<Int>)) -> Int {
            min(limit.each.upperBound, max(limit.each.lowerBound, limit.all / max(1, count)))
        }
        return (share(messages), share(contentBytes))
    }

    /// Forgets a queue that was deleted, and answers those who wait for its messages.
    func remove(_ name: String) {
        guard let queue = byName.withLock({ $0.removeValue(forKey: name) }) else { return }
        queue.close()
        queue.metrics.destroy()
        shareMemory()
    }

    /// Whether the dead-letter queue is there, is of the same type and takes this queue's messages.
    private func checkTarget(
        of attributes: QueueAttributes, source: String, _ transaction: any Transaction
    ) throws {
        guard let policy = attributes.redrivePolicy else { return }
        func invalid(_ reason: String) -> AWSError {
            .invalidParameterValue(
                "Value \(attributes["RedrivePolicy"] ?? "") for parameter RedrivePolicy is invalid. Reason: \(reason)")
        }
        guard let target = try store.queue(named: policy.queue, transaction) else {
            throw invalid("Dead letter target does not exist.")
        }
        guard target.attributes.isFIFO == source.hasSuffix(ResourceName.fifoSuffix) else {
            throw invalid("Dead-letter queue must be same type of queue as the source.")
        }
        guard target.attributes.redriveAllowPolicy.allows(source) else {
            throw invalid("The RedriveAllowPolicy of the dead-letter queue does not allow this queue.")
        }
    }

    /// Queues whose dead-letter queue came or went.
    private func refreshSources(of name: String) {
        for queue in all where queue.record.attributes.redrivePolicy?.queue == name { queue.refreshSettings() }
    }

    /// Removes what deleted and purged queues left behind, in slices that nobody has to wait for.
    func sweep() {
        work.submit { [store, clock, logger] in
            do {
                while try await store.database.write({ try store.sweep(limit: 200, now: clock.now(), $0) }) {}
            } catch {
                logger.warning(
                    "cannot remove the messages of deleted queues now; the next start will",
                    metadata: ["error": "\(error)"])
            }
        }
    }
}

/// What a queue needs of its surroundings.
struct QueueContext: Sendable {
    let store: BrokerStore
    let clock: any BrokerClock
    let work: BackgroundWork
    let logger: Logger
    let queue: @Sendable (String) -> MessageQueue?

    /// What the state machine needs to know. Without its dead-letter queue a redrive policy has no effect.
    func settings(_ attributes: QueueAttributes) -> QueueState.Settings {
        let policy = attributes.redrivePolicy.flatMap { queue($0.queue) == nil ? nil : $0 }
        return QueueState.Settings(retention: attributes.retention, maxReceiveCount: policy?.maxReceiveCount)
    }
}
