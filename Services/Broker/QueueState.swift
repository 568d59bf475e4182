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
///
/// What the shell tells is here; what is decided then is in the extension with the decisions, and only they touch the
/// properties.
struct QueueState: Sendable {
    var settings: Settings
    var limits: Limits { didSet { window.limits = limits } }
    let isFIFO: Bool

    var window: any WaitingMessages
    var isLoading = false
    var generation = 0

    var inFlight: [Int64: InFlight] = [:]
    var attempts: [String: Attempt] = [:]
    var timers = Heap<Timer>()

    /// Those in flight that are on their way back to the queue: that is not on disk yet.
    var returning: Set<Int64> = []

    var waiters: [Int: Waiter] = [:]
    var waiterOrder = Deque<Int>()
    /// The waiters who do not want to wait, and are kept for what is on its way alone.
    var impatient: Set<Int> = []
    let receiptSeed: UInt64
    var nextReceipt: UInt64
    var changes = 0

    /// - Parameters:
    ///   - stored: how many messages the queue has on disk.
    ///   - receiptSeed: where receipts start to count; random, so that one from before a restart matches none.
    init(settings: Settings, limits: Limits = Limits(), isFIFO: Bool = false, stored: Int = 0, receiptSeed: UInt64) {
        self.settings = settings
        self.limits = limits
        self.isFIFO = isFIFO
        self.receiptSeed = receiptSeed
        nextReceipt = receiptSeed
        window = Self.window(isFIFO: isFIFO, stored: stored, limits: limits)
    }

    static func window(isFIFO: Bool, stored: Int, limits: Limits) -> any WaitingMessages {
        isFIFO ? GroupedWindow(stored: stored, limits: limits) : QueueWindow(stored: stored, limits: limits)
    }

    // MARK: What the shell tells

    /// Asks for messages. The answer is in the effects, at once or in those of a later call.
    mutating func receive(_ request: ReceiveRequest, now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        if let deliveries = repeated(request, now) {
            effects.answers.append(Answer(waiter: request.waiter, deliveries: deliveries))
            return effects
        }
        waiters[request.waiter] = Waiter(request: request, deadline: now + request.wait)
        waiterOrder.append(request.waiter)
        serve(now, &effects)
        guard var waiter = waiters[request.waiter] else { return effects }
        if request.wait == 0 {
            impatient.insert(request.waiter)
            answerImpatient(&effects)
            guard waiters[request.waiter] != nil else { return effects }
            waiter.deadline = now + limits.patience
            waiters[request.waiter] = waiter
        }
        timers.insert(Timer(at: waiter.deadline, owner: .waiter(request.waiter)))
        tidy()
        return effects
    }

    /// Forgets a receiver who has gone. What was delivered to it before must be given back.
    mutating func cancel(waiter: Int) -> Effects {
        var effects = Effects()
        if remove(waiter: waiter) {
            effects.answers.append(Answer(waiter: waiter, deliveries: []))
        }
        tidy()
        return effects
    }

    /// Messages that were committed to this queue.
    mutating func sent(_ messages: [QueuedMessage], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for message in messages { window.place(message) }
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
            forgetAttempt(of: held)
            var message = held.message
            message.visibleAt = held.storedVisibleAt
            message.receiveCount -= 1
            if message.receiveCount == 0 { message.firstReceivedAt = nil }
            message.content = delivery.message.content
            window.putBack(message)
        }
        serve(now, &effects)
        tidy()
        return effects
    }

    /// Messages of this queue whose deletion was committed.
    mutating func deleted(_ sequences: [Int64], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for sequence in sequences {
            if let held = inFlight.removeValue(forKey: sequence) {
                forgetAttempt(of: held)
                returning.remove(sequence)
                window.release(held.message)
            } else {
                window.remove(sequence)
            }
        }
        serve(now, &effects)
        answerImpatient(&effects)
        tidy()
        return effects
    }

    /// Checks a change of visibility. With `.write` the shell saves the return and then calls `changed` or, if the
    /// message becomes visible at once, `returned`.
    ///
    /// Of a standard queue any receipt of a message will do, as on Amazon, also after its time: one that waits again is held
    /// again, if it is in memory and there is room in flight.
    mutating func changeVisibility(
        of sequence: Int64, messageID: String, receipt: UInt64, timeout: Milliseconds, now: Milliseconds
    ) -> (VisibilityChange, Effects) {
        let effects = advance(to: now)
        if !isFIFO, !isFull, inFlight[sequence] == nil, let waiting = window.take(sequence) {
            guard waiting.messageID == messageID, timeout > 0 || waiting.visibleAt > now else {
                window.putBack(waiting)
                return (waiting.messageID == messageID ? .unchanged : .notFound, effects)
            }
            hold(waiting, receipt: receipt, receivedAt: now, until: now)
        }
        guard var held = inFlight[sequence] else {
            return (window.contains(sequence) ? .notInFlight : .notFound, effects)
        }
        guard held.message.messageID == messageID, held.receipt == receipt || !isFIFO else {
            return (.notFound, effects)
        }
        // A return of a standard queue's message is overtaken by the change.
        guard held.phase == .held || !isFIFO && returning.contains(sequence) else { return (.notInFlight, effects) }
        guard now + timeout <= held.receivedAt + limits.longestVisibility else { return (.tooLong, effects) }
        forgetAttempt(of: held)
        held.attempt = nil
        held.deadline = now + timeout
        changes += 1
        held.change = changes
        if timeout == 0 {
            held.phase = .leaving
            returning.insert(sequence)
        } else {
            held.phase = .held
            returning.remove(sequence)
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
            guard let held = inFlight[change.sequence], held.phase == .leaving, held.change == change.number else {
                // Overtaken since; but the disk has it.
                inFlight[change.sequence]?.storedVisibleAt = change.visibleAt
                continue
            }
            inFlight[change.sequence] = nil
            returning.remove(change.sequence)
            var message = held.message
            message.visibleAt = change.visibleAt
            window.putBack(message)
        }
        serve(now, &effects)
        answerImpatient(&effects)
        return effects
    }

    /// Messages that have left this queue for the dead-letter queue or because they expired; committed.
    mutating func left(_ sequences: [Int64], now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        for sequence in sequences {
            guard let held = inFlight.removeValue(forKey: sequence) else { continue }
            returning.remove(sequence)
            window.release(held.message)
        }
        serve(now, &effects)
        answerImpatient(&effects)
        return effects
    }

    /// Returns could not be saved. Those that were overtaken meanwhile no longer matter.
    mutating func returnsFailed(_ returns: [Return], now: Milliseconds) -> Effects {
        writeFailed(returns.filter { isCurrent($0) }.map(\.sequence), now: now)
    }

    /// A return, a redrive or an expiry could not be saved: try again a little later.
    mutating func writeFailed(_ sequences: [Int64], now: Milliseconds) -> Effects {
        var effects = Effects()
        for sequence in sequences where inFlight[sequence]?.phase == .leaving {
            inFlight[sequence]?.phase = .held
            returning.remove(sequence)
            inFlight[sequence]?.deadline = now + limits.retryDelay
            timers.insert(Timer(at: now + limits.retryDelay, owner: .message(sequence)))
        }
        answerImpatient(&effects)
        return effects
    }

    /// The page that was asked for.
    mutating func loaded(_ page: Page, for request: PageRequest, now: Milliseconds) -> Effects {
        guard isLoading, request.generation == generation else { return Effects() }
        isLoading = false
        var effects = advance(to: now)
        let hidden = window.join(page, for: request.start, now: now) { inFlight[$0] != nil }
        for message in hidden {
            hold(message, receipt: 0, receivedAt: now, until: message.visibleAt)
        }
        serve(now, &effects)
        answerImpatient(&effects)
        return effects
    }

    /// The page could not be read: try again a little later.
    mutating func loadFailed(_ request: PageRequest, now: Milliseconds) {
        guard isLoading, request.generation == generation else { return }
        timers.insert(Timer(at: now + limits.retryDelay, owner: .load(generation)))
    }

    /// The queue was emptied; committed.
    mutating func purged() {
        window = Self.window(isFIFO: isFIFO, stored: 0, limits: limits)
        inFlight = [:]
        attempts = [:]
        returning = []
        isLoading = false
        generation += 1
        tidy()
    }

    /// Does what is due.
    mutating func tick(now: Milliseconds) -> Effects {
        var effects = advance(to: now)
        serve(now, &effects)
        answerImpatient(&effects)
        return effects
    }

    /// When `tick` has something to do next.
    mutating func nextDeadline() -> Milliseconds? {
        while let timer = timers.min, !stands(timer) { timers.removeMin() }
        var next = timers.min?.at
        // When something has left, it is looked at again.
        if !isFull, let front = window.front() {
            let expiry = front.sentAt + settings.retention
            next = min(next ?? expiry, expiry)
            if !waiters.isEmpty { next = min(next ?? front.visibleAt, front.visibleAt) }
        }
        return next
    }
}
