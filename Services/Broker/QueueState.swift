import Collections

/// Milliseconds since 1970.
typealias Milliseconds = Int64

/// One queue as a pure state machine: it decides who gets which message when, and never touches disk or network.
///
/// The disk holds every message; memory holds only what is needed next:
/// - the *window*, the earliest waiting messages. It is bounded, so memory is too, whatever the backlog;
/// - the messages *in flight*, received and not yet deleted, with their deadlines;
/// - the *waiters*, receivers in a long poll.
///
/// The shell commits a change first and then tells the state, in the order of the commits. Only so does the window stay
/// true to the disk.
struct QueueState: Sendable {
    var settings: Settings
    var limits: Limits

    private(set) var window: QueueWindow
    private var isLoading = false
    private var generation = 0

    private(set) var inFlight: [Int64: InFlight] = [:]
    private var timers = Heap<Timer>()

    private var waiters: [Int: Waiter] = [:]
    private var waiterOrder = Deque<Int>()
    private var nextReceipt: UInt64
    private var changes = 0

    /// - Parameters:
    ///   - stored: how many messages the queue has on disk.
    ///   - receiptSeed: where receipts start to count; random, so that one from before a restart matches none.
    init(settings: Settings, limits: Limits = Limits(), stored: Int = 0, receiptSeed: UInt64) {
        self.settings = settings
        self.limits = limits
        nextReceipt = receiptSeed
        window = QueueWindow(stored: stored)
    }

    // MARK: What the shell tells

    /// Asks for messages. The answer is in the effects, at once or in those of a later call.
    mutating func receive(_ request: ReceiveRequest, now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        let deadline = now + request.wait
        waiters[request.waiter] = Waiter(request: request, deadline: deadline)
        waiterOrder.append(request.waiter)
        serve(now, &effects)
        guard waiters[request.waiter] != nil else { return effects }
        if request.wait == 0, !isLoading {
            waiters[request.waiter] = nil
            effects.answers.append(Answer(waiter: request.waiter, deliveries: []))
        } else {
            // A page that is on its way may hold what a receiver who does not want to wait could have now.
            waiters[request.waiter]?.deadline = max(deadline, now + (isLoading ? limits.loadPatience : 0))
            timers.insert(Timer(at: waiters[request.waiter]?.deadline ?? deadline, owner: .waiter(request.waiter)))
        }
        tidy()
        return effects
    }

    /// Forgets a receiver who has gone. What was delivered to it before must be given back.
    mutating func cancel(waiter: Int) -> Effects {
        var effects = Effects()
        if waiters.removeValue(forKey: waiter) != nil {
            effects.answers.append(Answer(waiter: waiter, deliveries: []))
        }
        tidy()
        return effects
    }

    /// Messages that were committed to this queue.
    mutating func sent(_ messages: [QueuedMessage], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for message in messages { window.place(message, limits) }
        serve(now, &effects)
        return effects
    }

    /// Takes back deliveries that never reached their receiver, as if they had not happened.
    mutating func giveBack(_ deliveries: [Delivery], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for delivery in deliveries {
            let sequence = delivery.message.sequence
            guard let held = inFlight[sequence], held.receipt == delivery.receipt, held.phase == .held else { continue }
            inFlight[sequence] = nil
            var message = held.message
            message.visibleAt = held.storedVisibleAt
            message.receiveCount -= 1
            if message.receiveCount == 0 { message.firstReceivedAt = nil }
            message.content = delivery.message.content
            window.place(message, limits)
        }
        serve(now, &effects)
        tidy()
        return effects
    }

    /// Messages of this queue whose deletion was committed.
    mutating func deleted(_ sequences: [Int64], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for sequence in sequences {
            if inFlight.removeValue(forKey: sequence) == nil { window.remove(sequence) }
        }
        serve(now, &effects)
        tidy()
        return effects
    }

    /// Checks a change of visibility. With `.write` the shell saves the return and then calls `changed` or, if the
    /// message becomes visible at once, `returned`.
    mutating func changeVisibility(
        of sequence: Int64, receipt: UInt64, timeout: Milliseconds, now: Milliseconds
    ) -> (VisibilityChange, Effects) {
        let effects = advance(to: now)
        guard var held = inFlight[sequence] else {
            return (window.messages[sequence] == nil ? .notFound : .notInFlight, effects)
        }
        guard held.receipt == receipt else { return (.notFound, effects) }
        guard held.phase == .held else { return (.notInFlight, effects) }
        guard now + timeout <= held.receivedAt + limits.longestVisibility else { return (.tooLong, effects) }
        held.deadline = now + timeout
        changes += 1
        held.change = changes
        if timeout == 0 {
            held.phase = .leaving
        } else {
            timers.insert(Timer(at: held.deadline, owner: .message(sequence)))
        }
        inFlight[sequence] = held
        tidy()
        return (.write(held.asReturn(at: held.deadline)), effects)
    }

    /// Whether a return is the latest for its message. Requests may overtake each other on the way to the disk; an older
    /// one must not undo what a newer one has saved, so the shell asks within its write.
    func isCurrent(_ change: Return) -> Bool { inFlight[change.sequence]?.change == change.number }

    /// A change of visibility into the future was committed.
    mutating func changed(_ change: Return) {
        inFlight[change.sequence]?.storedVisibleAt = change.visibleAt
    }

    /// Messages are visible again, and that was committed.
    mutating func returned(_ returns: [Return], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for change in returns {
            guard let held = inFlight[change.sequence], held.phase == .leaving else { continue }
            inFlight[change.sequence] = nil
            var message = held.message
            message.visibleAt = change.visibleAt
            window.place(message, limits)
        }
        serve(now, &effects)
        return effects
    }

    /// Messages that have left this queue for the dead-letter queue or because they expired; committed.
    mutating func left(_ sequences: [Int64], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for sequence in sequences { inFlight[sequence] = nil }
        serve(now, &effects)
        return effects
    }

    /// A return, a redrive or an expiry could not be saved: try again a little later.
    mutating func writeFailed(_ sequences: [Int64], now: Milliseconds) {
        for sequence in sequences where inFlight[sequence]?.phase == .leaving {
            inFlight[sequence]?.phase = .held
            inFlight[sequence]?.deadline = now + limits.retryDelay
            timers.insert(Timer(at: now + limits.retryDelay, owner: .message(sequence)))
        }
    }

    /// The page that was asked for.
    mutating func loaded(_ page: [QueuedMessage], for request: PageRequest, now: Milliseconds) -> Effects {
        guard isLoading, request.generation == generation else { return Effects() }
        isLoading = false
        var effects = advance(to: now)
        // If the window overflowed meanwhile, the page no longer joins on to it; `serve` asks again if need be.
        if window.horizon == request.from {
            window.join(page, isLast: page.count < request.limit, limits) { inFlight[$0] != nil }
        }
        serve(now, &effects)
        answerImpatient(now, &effects)
        return effects
    }

    /// The page could not be read: try again a little later.
    mutating func loadFailed(_ request: PageRequest, now: Milliseconds) {
        guard isLoading, request.generation == generation else { return }
        timers.insert(Timer(at: now + limits.retryDelay, owner: .load(generation)))
    }

    /// The queue was emptied; committed.
    mutating func purged() {
        window = QueueWindow(stored: 0)
        inFlight = [:]
        isLoading = false
        generation += 1
        tidy()
    }

    /// Does what is due.
    mutating func tick(now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        serve(now, &effects)
        return effects
    }

    /// When `tick` has something to do next.
    mutating func nextDeadline() -> Milliseconds? {
        while let timer = timers.min, !stands(timer) { timers.removeMin() }
        var next = timers.min?.at
        if let front = window.front() {
            let expiry = front.sentAt + settings.retention
            next = min(next ?? expiry, expiry)
            if !waiters.isEmpty, !isFull { next = min(next ?? front.visibleAt, front.visibleAt) }
        }
        return next
    }

    // MARK: Decisions

    private mutating func advance(to now: Milliseconds) -> Effects {
        var effects = Effects()
        while let timer = timers.min, timer.at <= now {
            timers.removeMin()
            guard stands(timer) else { continue }
            switch timer.owner {
            case .waiter(let id):
                waiters[id] = nil
                effects.answers.append(Answer(waiter: id, deliveries: []))
            case .message(let sequence):
                release(sequence, now, &effects)
            case .load:
                isLoading = false
            }
        }
        var budget = limits.expiriesAtOnce
        while budget > 0, let message = window.front(), message.sentAt + settings.retention <= now {
            window.removeFront(message)
            leave(message, now)
            effects.expired.append(message.sequence)
            budget -= 1
        }
        refill(&effects)
        return effects
    }

    /// The visibility timeout of a message has ended.
    private mutating func release(_ sequence: Int64, _ now: Milliseconds, _ effects: inout Effects) {
        guard var held = inFlight[sequence] else { return }
        if held.storedVisibleAt == held.deadline {
            // The disk knows this position since the change of visibility.
            inFlight[sequence] = nil
            var message = held.message
            message.visibleAt = held.deadline
            window.place(message, limits)
        } else {
            held.phase = .leaving
            changes += 1
            held.change = changes
            inFlight[sequence] = held
            effects.returns.append(held.asReturn(at: now))
        }
    }

    private mutating func serve(_ now: Milliseconds, _ effects: inout Effects) {
        while let waiter = firstWaiter() {
            let deliveries = take(waiter.request, now, &effects)
            if deliveries.isEmpty { break }
            waiters[waiter.request.waiter] = nil
            effects.answers.append(Answer(waiter: waiter.request.waiter, deliveries: deliveries))
        }
        refill(&effects)
    }

    private mutating func take(_ request: ReceiveRequest, _ now: Milliseconds, _ effects: inout Effects) -> [Delivery] {
        var deliveries: [Delivery] = []
        while deliveries.count < request.maximum, inFlight.count < limits.inFlight {
            guard var message = window.front(), message.visibleAt <= now else { break }
            window.removeFront(message)
            if message.sentAt + settings.retention <= now {
                leave(message, now)
                effects.expired.append(message.sequence)
                continue
            }
            if let most = settings.maxReceiveCount, message.receiveCount >= most {
                leave(message, now)
                effects.redriven.append(message.sequence)
                continue
            }
            message.receiveCount += 1
            message.firstReceivedAt = message.firstReceivedAt ?? now
            nextReceipt &+= 1
            deliveries.append(Delivery(message: message, receipt: nextReceipt))
            var kept = message
            kept.content = nil
            inFlight[message.sequence] = InFlight(
                message: kept, receipt: nextReceipt, receivedAt: now, deadline: now + request.visibility,
                storedVisibleAt: message.visibleAt, phase: .held)
            timers.insert(Timer(at: now + request.visibility, owner: .message(message.sequence)))
        }
        return deliveries
    }

    /// Keeps a message that is about to leave the queue away from receivers until that is on disk.
    private mutating func leave(_ message: QueuedMessage, _ now: Milliseconds) {
        var kept = message
        kept.content = nil
        inFlight[message.sequence] = InFlight(
            message: kept, receipt: 0, receivedAt: now, deadline: .max, storedVisibleAt: message.visibleAt,
            phase: .leaving)
    }

    /// Receivers who did not want to wait were kept for the page alone.
    private mutating func answerImpatient(_ now: Milliseconds, _ effects: inout Effects) {
        guard !isLoading else { return }
        for (id, waiter) in waiters where waiter.request.wait == 0 {
            waiters[id] = nil
            effects.answers.append(Answer(waiter: id, deliveries: []))
        }
    }

    private mutating func refill(_ effects: inout Effects) {
        guard !isLoading, let horizon = window.horizon, window.messages.count < limits.page / 2 else { return }
        isLoading = true
        effects.load = PageRequest(from: horizon, limit: limits.page, generation: generation)
    }

    // MARK: Housekeeping

    private mutating func firstWaiter() -> Waiter? {
        while let first = waiterOrder.first {
            if let waiter = waiters[first] { return waiter }
            waiterOrder.removeFirst()
        }
        return nil
    }

    /// Whether a timer still stands for its owner.
    private func stands(_ timer: Timer) -> Bool {
        switch timer.owner {
        case .waiter(let id): waiters[id]?.deadline == timer.at
        case .message(let sequence): inFlight[sequence].map { $0.deadline == timer.at && $0.phase == .held } ?? false
        case .load(let generation): isLoading && generation == self.generation
        }
    }

    /// What no longer stands stays until it comes up; when it is the majority, heap and queue are built anew.
    private mutating func tidy() {
        if timers.count > 2 * (inFlight.count + waiters.count) + 64 {
            timers = Heap(timers.unordered.filter { stands($0) })
        }
        if waiterOrder.count > 2 * waiters.count + 64 { waiterOrder.removeAll { waiters[$0] == nil } }
    }
}
