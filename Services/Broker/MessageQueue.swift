import Foundation
import Logging
import Persistence
import Synchronization

/// A queue: the state machine with the disk, the clock and the receivers around it.
///
/// What was committed is told to the state from within the commit, on the database's writing thread, so the state
/// learns of changes in the order of the commits.
final class MessageQueue: Sendable {
    typealias Record = BrokerStore.QueueRecord

    let name: String
    let context: QueueContext
    let metrics: QueueMetrics
    private let guarded: Mutex<Guarded>

    private struct Guarded {
        var record: Record
        var state: QueueState
        var receivers: [Int: CheckedContinuation<[QueueState.Delivery], Never>] = [:]
        var nextReceiver = 0
        /// The earliest call that the clock owes us.
        var alarm: Milliseconds?
        var purgedAt: Milliseconds?
        var isClosed = false
    }

    init(_ record: Record, stored: Int, context: QueueContext) {
        name = record.name
        self.context = context
        metrics = QueueMetrics(queue: record.name)
        let state = QueueState(
            settings: context.settings(record.attributes), isFIFO: record.attributes.isFIFO, stored: stored,
            receiptSeed: .random(in: 0...UInt64.max))
        guarded = Mutex(Guarded(record: record, state: state))
        if stored > 0 { apply { $0.tick(now: $1) } }
    }

    var record: Record { guarded.withLock(\.record) }

    /// Whether it was deleted.
    var isClosed: Bool { guarded.withLock(\.isClosed) }

    func counts() -> QueueState.Counts {
        let now = context.clock.now()
        return guarded.withLock { $0.state.counts(now: now) }
    }

    /// Whether there is nothing to receive, now or when what is under way is done.
    var isDrained: Bool {
        let now = context.clock.now()
        return guarded.withLock { $0.state.isDrained(now: now) }
    }

    /// How many messages are in memory because they are next.
    var windowCount: Int { guarded.withLock { $0.state.windowCount } }

    func updateMetrics() { metrics.update(counts(), now: context.clock.now()) }
}

// MARK: Receiving

extension MessageQueue {
    /// What there is at this moment; nothing, if it is still on its way from the disk.
    func receiveAtOnce(maximum: Int, visibility: Milliseconds) async throws -> [QueueState.Delivery] {
        var deliveries: [QueueState.Delivery] = []
        let id = newReceiver()
        apply { state, now in
            var effects = state.receive(
                QueueState.ReceiveRequest(waiter: id, maximum: maximum, visibility: visibility, wait: 0), now: now)
            if let index = effects.answers.firstIndex(where: { $0.waiter == id }) {
                deliveries = effects.answers.remove(at: index).deliveries
            } else {
                _ = state.cancel(waiter: id)
            }
            return effects
        }
        return try await complete(deliveries)
    }

    private func newReceiver() -> Int {
        guarded.withLock { guarded in
            guarded.nextReceiver += 1
            return guarded.nextReceiver
        }
    }

    /// Waits until there is a message, at most `wait`; the answer is empty if none came. If the task is cancelled,
    /// because the client has gone, what it would have received is available to others at once.
    func receive(
        maximum: Int, visibility: Milliseconds, wait: Milliseconds, attempt: String? = nil
    ) async throws -> [QueueState.Delivery] {
        let id = newReceiver()
        // As on Amazon: a FIFO queue or a long poll just answers nothing.
        if wait == 0, guarded.withLock({ $0.state.isFull && !$0.record.attributes.isFIFO }) { throw AWSError.overLimit }
        let request = QueueState.ReceiveRequest(
            waiter: id, maximum: maximum, visibility: visibility, wait: wait, attempt: attempt)
        let deliveries = await withTaskCancellationHandler {
            await withCheckedContinuation { receiver in enlist(receiver, request) }
        } onCancel: {
            apply { state, _ in state.cancel(waiter: id) }
        }
        return try await complete(deliveries)
    }

    private func complete(_ deliveries: [QueueState.Delivery]) async throws -> [QueueState.Delivery] {
        if deliveries.isEmpty { return [] }
        do {
            try Task.checkCancellation()
            let complete = try await withContents(deliveries)
            try Task.checkCancellation()
            metrics.received.increment(by: complete.count)
            return complete
        } catch {
            apply { $0.giveBack(deliveries, now: $1) }
            if error is CancellationError { return [] }
            throw error
        }
    }

    private func enlist(
        _ receiver: CheckedContinuation<[QueueState.Delivery], Never>, _ request: QueueState.ReceiveRequest
    ) {
        // A cancellation may have come before there was anything to cancel.
        var request = request
        if Task.isCancelled { request.wait = 0 }
        apply { [request] state, now in
            state.receive(request, now: now)
        } enlisting: { guarded in
            guarded.receivers[request.waiter] = receiver
        }
    }

    private func withContents(_ deliveries: [QueueState.Delivery]) async throws -> [QueueState.Delivery] {
        let missing = deliveries.filter { $0.message.content == nil }.map(\.message.bodyID)
        guard !missing.isEmpty else { return deliveries }
        let contents = try await context.store.database.read { [store = context.store] transaction in
            try store.contents(missing, transaction)
        }
        // One without a body was deleted with an older handle between its delivery and now.
        return deliveries.compactMap { delivery in
            var delivery = delivery
            delivery.message.content = delivery.message.content ?? contents[delivery.message.bodyID]
            return delivery.message.content == nil ? nil : delivery
        }
    }

    /// Answers everyone who waits, and lets nobody wait from now on.
    func close() {
        let receivers = guarded.withLock { guarded in
            guarded.isClosed = true
            guarded.state.purged()
            for id in guarded.receivers.keys { _ = guarded.state.cancel(waiter: id) }
            defer { guarded.receivers = [:] }
            return guarded.receivers.values.map { $0 }
        }
        for receiver in receivers { receiver.resume(returning: []) }
    }
}

// MARK: Deleting and changing visibility

extension MessageQueue {
    /// Deletes messages, and returns once that is on disk, with an error for each that can't be. One that is already gone
    /// is no error.
    @discardableResult
    func delete(_ handles: [ReceiptHandle]) async throws -> [AWSError?] {
        let queue = record
        return try await context.store.database.write { [store = context.store] transaction in
            var doomed: [BrokerStore.Doomed] = []
            let errors: [AWSError?] = try handles.map { handle in
                if queue.attributes.isFIFO, !self.entitles(handle) {
                    let isThere = try store.contains(
                        handle.sequence, queue: queue.id, messageID: handle.messageID, transaction)
                    return isThere ? .receiptHandleHasExpired(handle.text) : nil
                }
                doomed.append(BrokerStore.Doomed(sequence: handle.sequence, messageID: handle.messageID))
                return nil
            }
            let deleted = try store.delete(doomed, queue: queue.id, transaction)
            if !deleted.isEmpty {
                transaction.onCommit {
                    self.metrics.deleted.increment(by: deleted.count)
                    self.apply { $0.deleted(deleted, now: $1) }
                }
            }
            return errors
        }
    }

    private func entitles(_ handle: ReceiptHandle) -> Bool {
        let now = context.clock.now()
        return guarded.withLock { $0.state.entitles(handle.receipt, to: handle.sequence, now: now) }
    }

    /// Messages that were received and are in another queue now; committed.
    func left(_ sequences: [Int64]) { apply { $0.left(sequences, now: $1) } }

    /// Takes back what was received but not dealt with.
    func giveBack(_ deliveries: [QueueState.Delivery]) { apply { $0.giveBack(deliveries, now: $1) } }

    struct VisibilityRequest: Sendable {
        let handle: ReceiptHandle
        let timeout: Milliseconds
    }

    /// Changes when messages become visible, and returns once that is on disk; with an error for each that can't be.
    func changeVisibility(_ requests: [VisibilityRequest]) async throws -> [AWSError?] {
        let queue = record
        var changes = Changes()
        var errors = [AWSError?](repeating: nil, count: requests.count)
        var notFound: [(index: Int, isInFlight: Bool)] = []
        for (index, request) in requests.enumerated() {
            var outcome = QueueState.VisibilityChange.notFound
            apply { state, now in
                let (change, effects) = state.changeVisibility(
                    of: request.handle.sequence, messageID: request.handle.messageID, receipt: request.handle.receipt,
                    timeout: request.timeout, now: now)
                outcome = change
                return effects
            }
            switch outcome {
            case .write(let change):
                if request.timeout == 0 { changes.atOnce.append(change) } else { changes.later.append(change) }
            case .unchanged: break
            case .notInFlight: errors[index] = .messageNotInflight
            case .tooLong:
                errors[index] = .invalidParameterValue(
                    "Value \(request.timeout / 1000) for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]."
                )
            case .notFound:
                notFound.append((index, guarded.withLock { $0.state.isInFlight(request.handle.sequence) }))
            }
        }
        // Before anything else that may fail or be cancelled: a message that was told to leave waits for its write.
        if !changes.all.isEmpty { try await save(changes, queue: queue) }
        for (index, isInFlight) in notFound {
            let handle = requests[index].handle
            let isWaiting = try await isStored(handle, queue: queue.id) && !isInFlight
            errors[index] = isWaiting ? .messageNotInflight : .notAvailableForVisibility(handle.text)
        }
        return errors
    }

    /// Messages that become visible at once, and those that do so later.
    private struct Changes: Sendable {
        var atOnce: [QueueState.Return] = []
        var later: [QueueState.Return] = []
        var all: [QueueState.Return] { atOnce + later }
    }

    private func save(_ changes: Changes, queue: Record) async throws {
        do {
            try await context.store.database.write { [store = context.store] transaction in
                let (later, atOnce) = (self.current(changes.later), self.current(changes.atOnce))
                try store.save(
                    later + atOnce, queue: queue.id, isOrdered: queue.attributes.isFIFO, transaction)
                transaction.onCommit {
                    self.apply { state, now in
                        for change in later { state.changed(change) }
                        return state.returned(atOnce, now: now)
                    }
                }
            }
        } catch {
            apply { $0.returnsFailed(changes.atOnce, now: $1) }
            throw error
        }
    }

    /// Those that no newer change has overtaken.
    func current(_ changes: [QueueState.Return]) -> [QueueState.Return] {
        guarded.withLock { guarded in changes.filter { guarded.state.isCurrent($0) } }
    }

    private func isStored(_ handle: ReceiptHandle, queue: Int64) async throws -> Bool {
        try await context.store.database.read { [store = context.store] transaction in
            try store.contains(handle.sequence, queue: queue, messageID: handle.messageID, transaction)
        }
    }
}

// MARK: Administration

extension MessageQueue {
    /// Takes over what was committed: new attributes, or the record of the emptied queue after a purge.
    func update(_ record: Record) {
        apply { state, now in
            state.settings = self.context.settings(record.attributes)
            return state.tick(now: now)
        } enlisting: { guarded in
            if record.id != guarded.record.id { guarded.state.purged() }
            guarded.record = record
        }
    }

    /// The dead-letter queue came or went.
    func refreshSettings() { update(record) }

    /// How many messages, and how much of their contents, may be kept in memory for this queue.
    func limitMemory(messages: Int, contentBytes: Int) {
        guarded.withLock { guarded in
            let limits = guarded.state.limits
            guard limits.window != messages || limits.contentBytes != contentBytes else { return }
            guarded.state.limits.keep(messages: messages, contentBytes: contentBytes)
        }
    }

    /// Notes a purge.
    /// - Throws: if the last one was less than 60 seconds ago.
    func beginPurge() throws(AWSError) {
        let now = context.clock.now()
        let isAllowed = guarded.withLock { guarded in
            if let last = guarded.purgedAt, now - last < 60_000 { return false }
            guarded.purgedAt = now
            return true
        }
        if !isAllowed { throw .purgeInProgress(name) }
    }

    /// Forgets a purge that came to nothing, so that it can be tried again at once.
    func purgeFailed() { guarded.withLock { $0.purgedAt = nil } }
}

// MARK: The shell around the state

extension MessageQueue {
    /// Changes the state and does what follows from it.
    func apply(_ change: (inout QueueState, Milliseconds) -> QueueState.Effects) {
        apply(change, enlisting: { _ in })
    }

    private func apply(
        _ change: (inout QueueState, Milliseconds) -> QueueState.Effects,
        enlisting prepare: (inout Guarded) -> Void
    ) {
        let now = context.clock.now()
        let (effects, answers, alarm) = guarded.withLock { guarded in
            prepare(&guarded)
            var effects = change(&guarded.state, now)
            if guarded.isClosed {
                for id in guarded.receivers.keys { effects.answers += guarded.state.cancel(waiter: id).answers }
            }
            let answers = effects.answers.compactMap { answer in
                guarded.receivers.removeValue(forKey: answer.waiter).map { ($0, answer.deliveries) }
            }
            return (effects, answers, nextAlarm(&guarded))
        }
        for (receiver, deliveries) in answers { receiver.resume(returning: deliveries) }
        if effects.needsDisk {
            context.work.submit { await self.perform(effects) }
        }
        if let alarm {
            context.clock.call(at: alarm) { [weak self] in self?.ring(alarm) }
        }
    }

    /// The time of a call that has to be ordered, if the one that is ordered comes too late.
    private func nextAlarm(_ guarded: inout Guarded) -> Milliseconds? {
        guard let next = guarded.state.nextDeadline(), next < guarded.alarm ?? .max else { return nil }
        guarded.alarm = next
        return next
    }

    private func ring(_ alarm: Milliseconds) {
        apply {
            $0.tick(now: $1)
        } enlisting: { guarded in
            if guarded.alarm == alarm { guarded.alarm = nil }
        }
    }
}
