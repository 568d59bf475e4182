import TestSupport
import Testing

@testable import Broker

/// A queue with a disk that commits late, in any order, and sometimes not at all; and beside it the reference model, the
/// simplest account of what a queue is: a list of messages with the time from which each may be delivered.
struct QueueSimulation {
    /// What the disk has.
    struct Row {
        var visibleAt: Milliseconds
        let sentAt: Milliseconds
        /// Of a FIFO queue.
        var group = ""
        var receiveCount = 0
        var firstReceivedAt: Milliseconds?
    }

    /// What the model knows besides: who holds a message until when.
    struct Holding {
        let receipt: UInt64
        var until: Milliseconds
        let receivedAt: Milliseconds
    }

    enum Write {
        case send(delays: [Milliseconds])
        /// A message from another queue, which has an older sequence.
        case arrive(Int64)
        case delete([Int64])
        case returns([QueueState.Return], later: Bool)
        case redrive([Int64])
        case expire([Int64])
        case load(QueueState.PageRequest)
    }

    static let retention: Milliseconds = 200_000
    static let maxReceiveCount = 2

    let isFIFO: Bool
    var random: SeededGenerator
    var now: Milliseconds = 1_000_000
    var state: QueueState
    var disk: [Int64: Row] = [:]
    var deadLetters: Set<Int64> = []
    var expired: Set<Int64> = []
    var deleted: Set<Int64> = []
    var sent = 0
    var nextSequence: Int64 = 1
    /// Sequences of messages that are in other queues still.
    var elsewhere: [Int64] = []
    var writes: [Write] = []
    var holdings: [Int64: Holding] = [:]
    var handles: [(sequence: Int64, receipt: UInt64)] = []
    var waiting: [Int: (deadline: Milliseconds, wait: Milliseconds)] = [:]
    var nextWaiter = 0
    var deliveries = 0
    var repetitions = 0
    var crashes = 0

    static var limits: QueueState.Limits {
        var limits = QueueState.Limits()
        limits.window = 8
        limits.page = 4
        limits.inFlight = 12
        limits.contentBytes = 600
        limits.expiriesAtOnce = 3
        return limits
    }

    static var settings: QueueState.Settings {
        QueueState.Settings(retention: retention, maxReceiveCount: maxReceiveCount)
    }

    init(seed: UInt64, isFIFO: Bool) {
        self.isFIFO = isFIFO
        random = SeededGenerator(seed: seed)
        state = QueueState(settings: Self.settings, limits: Self.limits, isFIFO: isFIFO, receiptSeed: random.next())
    }

    // MARK: Operations

    mutating func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<8:
            let count = Int.random(in: 1...4, using: &random)
            writes.append(
                .send(
                    delays: (0..<count).map { _ in
                        Bool.random(using: &random) ? 0 : .random(in: 0...3000, using: &random)
                    }))
        case 8..<42:
            receive(maximum: .random(in: 1...4, using: &random), wait: Bool.random(using: &random) ? 0 : 2000)
        case 42..<48:
            if let handle = handles.suffix(16).randomElement(using: &random) {
                writes.append(.delete([handle.sequence]))
            }
        case 48..<60:
            if let handle = handles.suffix(16).randomElement(using: &random) { changeVisibility(handle) }
        case 60..<63:
            if let waiter = waiting.keys.sorted().randomElement(using: &random) { follow(state.cancel(waiter: waiter)) }
        case 63..<75: pass(.random(in: 0...800, using: &random))
        case 75..<76: if Int.random(in: 0..<2, using: &random) == 0 { crash() }
        case 76..<77: pass(.random(in: 0...30_000, using: &random))
        case 77..<78: if let sequence = elsewhere.popLast() { writes.append(.arrive(sequence)) }
        default: commitOne()
        }
        check()
    }

    mutating func receive(maximum: Int, wait: Milliseconds, mayRepeat: Bool = true) {
        nextWaiter += 1
        waiting[nextWaiter] = (now + wait, wait)
        var request = QueueState.ReceiveRequest(
            waiter: nextWaiter, maximum: maximum, visibility: .random(in: 1...1500, using: &random), wait: wait)
        if isFIFO, mayRepeat, Int.random(in: 0..<3, using: &random) == 0 {
            request.attempt = ["one", "two", "three"].randomElement(using: &random)
        }
        follow(state.receive(request, now: now))
    }

    private mutating func changeVisibility(_ handle: (sequence: Int64, receipt: UInt64)) {
        let timeout = Milliseconds.random(in: 0...3, using: &random) * 1000
        let (change, effects) = state.changeVisibility(
            of: handle.sequence, messageID: "m\(handle.sequence)", receipt: handle.receipt, timeout: timeout, now: now)
        follow(effects)
        if case .unchanged = change {
            #expect(timeout == 0 && disk[handle.sequence]?.visibleAt ?? 0 <= now)
        }
        guard case .write(let saved) = change else { return }
        if isFIFO { #expect(holdings[handle.sequence]?.receipt == handle.receipt) }
        // Of a standard queue also one that waits is held again.
        let holding = Holding(receipt: handle.receipt, until: now, receivedAt: now)
        holdings[handle.sequence, default: holding].until = now + timeout
        writes.append(.returns([saved], later: timeout > 0))
    }

    /// Time passes, and the clock calls at each deadline.
    mutating func pass(_ duration: Milliseconds) {
        let end = now + duration
        while let deadline = state.nextDeadline(), deadline <= end {
            now = max(now, deadline)
            follow(state.tick(now: now))
            // What is due must have been done, or the clock would call for ever.
            if let next = state.nextDeadline(), next <= now, expiriesPending == 0 { break }
        }
        now = end
        follow(state.tick(now: now))
    }

    private var expiriesPending: Int {
        writes.reduce(0) { count, write in if case .expire(let some) = write { count + some.count } else { count } }
    }

    /// The process ends: what was not committed has not happened.
    mutating func crash() {
        crashes += 1
        writes = []
        waiting = [:]
        holdings = [:]
        state = QueueState(
            settings: Self.settings, limits: Self.limits, isFIFO: isFIFO, stored: disk.count,
            receiptSeed: random.next())
    }

    // MARK: The disk

    /// Any of the writes that are on their way is committed, or fails.
    mutating func commitOne() {
        guard !writes.isEmpty else { return }
        let write = writes.remove(at: .random(in: 0..<writes.count, using: &random))
        commit(write, fails: Int.random(in: 0..<20, using: &random) == 0)
    }

    private mutating func commit(_ write: Write, fails: Bool) {
        switch write {
        case .send(let delays): if !fails { commitSend(delays) }
        case .arrive(let sequence):
            if fails { return elsewhere.append(sequence) }
            sent += 1
            disk[sequence] = Row(visibleAt: now, sentAt: now, group: someGroup())
            follow(state.sent(disk[sequence].map { [message(sequence, $0)] } ?? [], now: now))
        case .delete(let sequences):
            guard !fails else { return }
            let present = sequences.filter { disk.removeValue(forKey: $0) != nil }
            deleted.formUnion(present)
            for sequence in present { holdings[sequence] = nil }
            follow(state.deleted(present, now: now))
        case .returns(let all, let later):
            if fails {
                if !later { follow(state.returnsFailed(all, now: now)) }
                return
            }
            commitReturns(all.filter { state.isCurrent($0) }, later: later)
        case .redrive(let sequences), .expire(let sequences):
            if fails { return follow(state.writeFailed(sequences, now: now)) }
            let present = sequences.filter { disk[$0] != nil }
            for sequence in present {
                if case .redrive = write {
                    #expect(disk[sequence]?.receiveCount ?? 0 >= Self.maxReceiveCount)
                    deadLetters.insert(sequence)
                } else {
                    #expect((disk[sequence]?.sentAt ?? .max) + Self.retention <= now)
                    expired.insert(sequence)
                }
                disk[sequence] = nil
            }
            follow(state.left(sequences, now: now))
        case .load(let request):
            if fails { return state.loadFailed(request, now: now) }
            follow(state.loaded(page(request), for: request, now: now))
        }
    }

    /// One group gets most messages.
    private mutating func someGroup() -> String {
        isFIFO ? ["a", "a", "a", "b", "c", "d", "e", "f"].randomElement(using: &random) ?? "" : ""
    }

    private func page(_ request: QueueState.PageRequest) -> QueueState.Page {
        switch request.start {
        case .next(let position) where !isFIFO:
            let rest = disk.map { sequence, row in message(sequence, row) }.filter { $0.position >= position }
                .sorted { $0.position < $1.position }
            let messages = Array(rest.prefix(request.limit))
            let last = messages.count < request.limit ? nil : messages.last
            return QueueState.Page(
                messages: messages,
                end: last.map { Position(visibleAt: $0.visibleAt, sequence: $0.sequence + 1) })
        case .next(let position):
            var heads: [String: Int64] = [:]
            for (sequence, row) in disk { heads[row.group] = min(heads[row.group] ?? .max, sequence) }
            let starts = heads.filter { $0.value >= position.sequence }.sorted { $0.value < $1.value }
                .prefix(2).map { QueueState.GroupStart(group: $0.key, from: $0.value) }
            var page = rest(of: starts)
            if starts.count == 2 { page.end = Position(visibleAt: 0, sequence: starts[1].from + 1) }
            return page
        case .groups(let starts): return rest(of: starts)
        }
    }

    /// The next messages of groups, two of each.
    private func rest(of starts: [QueueState.GroupStart]) -> QueueState.Page {
        var page = QueueState.Page()
        for start in starts {
            let rest = disk.filter { $0.value.group == start.group && $0.key >= start.from }.sorted { $0.key < $1.key }
            page.messages += rest.prefix(2).map { message($0.key, $0.value) }
            if rest.count >= 2 { page.incomplete.insert(start.group) }
        }
        return page
    }

    private mutating func commitSend(_ delays: [Milliseconds]) {
        var messages: [QueuedMessage] = []
        for delay in delays {
            if Int.random(in: 0..<8, using: &random) == 0 {
                elsewhere.append(nextSequence)
                nextSequence += 1
            }
            // In a FIFO queue the delay is the queue's.
            let row = Row(visibleAt: now + (isFIFO ? 200 : delay), sentAt: now, group: someGroup())
            disk[nextSequence] = row
            messages.append(message(nextSequence, row))
            nextSequence += 1
            sent += 1
        }
        follow(state.sent(messages, now: now))
    }

    private mutating func commitReturns(_ returns: [QueueState.Return], later: Bool) {
        for change in returns where disk[change.sequence] != nil {
            disk[change.sequence]?.visibleAt = change.visibleAt
            disk[change.sequence]?.receiveCount = change.receiveCount
            disk[change.sequence]?.firstReceivedAt = change.firstReceivedAt
        }
        if later {
            for change in returns { state.changed(change) }
        } else {
            follow(state.returned(returns, now: now))
        }
    }

    private func message(_ sequence: Int64, _ row: Row) -> QueuedMessage {
        QueuedMessage(
            sequence: sequence, messageID: "m\(sequence)", visibleAt: row.visibleAt, sentAt: row.sentAt,
            receiveCount: row.receiveCount, firstReceivedAt: row.firstReceivedAt, bodyID: sequence,
            group: isFIFO ? row.group : nil,
            content: MessageContent(body: "body \(sequence)", attributes: [:], sender: "me"))
    }

    // MARK: What follows, and what must be so

    private mutating func follow(_ effects: QueueState.Effects) {
        for answer in effects.answers {
            guard let waiter = waiting.removeValue(forKey: answer.waiter) else {
                Issue.record("waiter \(answer.waiter) was answered twice")
                continue
            }
            if answer.deliveries.isEmpty, waiter.wait > 0 { continue }
            if isFIFO { checkOrder(answer.deliveries) }
            for delivery in answer.deliveries { accept(delivery) }
        }
        if !effects.returns.isEmpty { writes.append(.returns(effects.returns, later: false)) }
        if !effects.redriven.isEmpty { writes.append(.redrive(effects.redriven)) }
        if !effects.expired.isEmpty { writes.append(.expire(effects.expired)) }
        if let load = effects.load { writes.append(.load(load)) }
    }

    private mutating func accept(_ delivery: QueueState.Delivery) {
        deliveries += 1
        let sequence = delivery.message.sequence
        guard let row = disk[sequence] else {
            Issue.record("message \(sequence) was delivered though it is not on disk")
            return
        }
        #expect(row.sentAt + Self.retention > now, "an expired message was delivered")
        #expect(row.visibleAt <= now, "message \(sequence) was delivered before its time")
        #expect(delivery.message.receiveCount == row.receiveCount + 1)
        #expect(row.receiveCount < Self.maxReceiveCount, "a message was delivered too often")
        if isFIFO, let holding = holdings[sequence], holding.receipt == delivery.receipt {
            // The same attempt again.
            repetitions += 1
            holdings[sequence]?.until = state.inFlight[sequence]?.deadline ?? now
            return
        }
        if let holding = holdings[sequence] {
            #expect(holding.until <= now, "message \(sequence) was delivered to two receivers at once")
        }
        // One that nobody waits for any more is given back at once, like one whose client has gone.
        if Int.random(in: 0..<10, using: &random) == 0 {
            follow(state.giveBack([delivery], now: now))
            return
        }
        let until = state.inFlight[sequence]?.deadline ?? now
        holdings[sequence] = Holding(receipt: delivery.receipt, until: until, receivedAt: now)
        handles.append((sequence, delivery.receipt))
    }

    /// In a FIFO queue a receiver gets the first messages of a group, in their order, and nobody else has any of it.
    private func checkOrder(_ deliveries: [QueueState.Delivery]) {
        for (group, delivered) in Dictionary(grouping: deliveries, by: { $0.message.group ?? "" }) {
            let got = delivered.map(\.message.sequence)
            if delivered.allSatisfy({ holdings[$0.message.sequence]?.receipt == $0.receipt }) { continue }
            #expect(got == got.sorted(), "group \(group) was delivered out of order")
            for (sequence, row) in disk where row.group == group && !got.contains(sequence) {
                #expect(holdings[sequence].map { $0.until <= now } ?? true, "group \(group) wasn't locked")
                if row.sentAt + Self.retention > now {
                    #expect(sequence > got.max() ?? 0, "message \(sequence) of group \(group) was overtaken")
                }
            }
        }
    }

    private mutating func check() {
        #expect(state.windowCount <= (isFIFO ? 2 * Self.limits.window + 16 : Self.limits.window))
        // Of a FIFO queue also what is hidden since a restart, which its page brings.
        #expect(state.inFlight.count <= Self.limits.inFlight + (isFIFO ? Self.limits.window : 0))
        for (waiter, asked) in waiting {
            let patience = asked.wait == 0 ? Self.limits.patience : 0
            #expect(asked.deadline + patience >= now, "waiter \(waiter) was forgotten")
        }
        let counts = state.counts(now: now)
        // Every message is counted once, wherever it is. Only writes that are on their way may make a difference.
        #expect(counts.visible + counts.delayed + counts.inFlight == disk.count)
    }

    /// Lets everything that is on its way arrive.
    mutating func settle() {
        while !writes.isEmpty { commit(writes.removeFirst(), fails: false) }
        let impatient = waiting.values.count { $0.wait == 0 }
        #expect(state.isLoading || impatient == 0, "\(impatient) who did not want to wait still do")
    }

    /// What the model says can be had now; of a FIFO queue, the first messages of groups that nobody has any of.
    var deliverable: [Int64] {
        let alive = disk.filter { $0.value.sentAt + Self.retention > now }
        let free = alive.filter { sequence, row in
            row.visibleAt <= now && (holdings[sequence]?.until ?? 0) <= now && row.receiveCount < Self.maxReceiveCount
        }
        guard isFIFO else { return Array(free.keys) }
        return Dictionary(grouping: alive.keys) { alive[$0]?.group ?? "" }.values.compactMap { group in
            let isLocked = group.contains { sequence in
                holdings[sequence].map { $0.until > now } ?? false
                    || alive[sequence].map { $0.receiveCount > 0 && $0.visibleAt > now } ?? false
            }
            guard let first = group.min(), !isLocked, free[first] != nil else { return nil }
            return first
        }
    }
}
