import Collections

/// What a queue decides: what is due, who is served, what must be read.
extension QueueState {
    mutating func advance(to now: Milliseconds) -> Effects {
        var effects = Effects()
        while let timer = timers.min, timer.at <= now {
            timers.removeMin()
            guard stands(timer) else { continue }
            switch timer.owner {
            case .waiter(let id):
                remove(waiter: id)
                effects.answers.append(Answer(waiter: id, deliveries: []))
            case .message(let sequence):
                release(sequence, now, &effects)
            case .load:
                isLoading = false
            }
        }
        var budget = limits.expiriesAtOnce
        while budget > 0, !isFull, let message = window.front(), message.sentAt + settings.retention <= now {
            window.takeFront(message)
            leave(message, now)
            effects.expired.append(message.sequence)
            budget -= 1
        }
        _ = window.moveOn()
        refill(&effects)
        return effects
    }

    /// The visibility timeout of a message has ended.
    private mutating func release(_ sequence: Int64, _ now: Milliseconds, _ effects: inout Effects) {
        guard var held = inFlight[sequence] else { return }
        forgetAttempt(of: held)
        held.attempt = nil
        if held.storedVisibleAt == held.deadline {
            // The disk knows this position since the change of visibility.
            inFlight[sequence] = nil
            var message = held.message
            message.visibleAt = held.deadline
            window.putBack(message)
        } else {
            held.phase = .leaving
            returning.insert(sequence)
            changes += 1
            held.change = changes
            inFlight[sequence] = held
            effects.returns.append(held.asReturn(at: now))
        }
    }

    mutating func serve(_ now: Milliseconds, _ effects: inout Effects) {
        while let waiter = firstWaiter() {
            let deliveries = take(waiter.request, now, &effects)
            if deliveries.isEmpty { break }
            remove(waiter: waiter.request.waiter)
            effects.answers.append(Answer(waiter: waiter.request.waiter, deliveries: deliveries))
        }
        refill(&effects)
    }

    private mutating func take(_ request: ReceiveRequest, _ now: Milliseconds, _ effects: inout Effects) -> [Delivery] {
        var deliveries: [Delivery] = []
        while deliveries.count < request.maximum, inFlight.count < limits.inFlight {
            guard var message = window.front() else { break }
            guard message.visibleAt <= now else {
                if window.moveOn() { continue }
                break
            }
            window.takeFront(message)
            if message.sentAt + settings.retention <= now {
                leave(message, now)
                effects.expired.append(message.sequence)
                continue
            }
            if let most = settings.maxReceiveCount, message.receiveCount >= most {
                leave(message, now)
                effects.redriven.append(message.sequence)
                // The next of its group must not overtake it if the move fails.
                _ = window.moveOn()
                continue
            }
            message.receiveCount += 1
            message.firstReceivedAt = message.firstReceivedAt ?? now
            nextReceipt &+= 1
            deliveries.append(Delivery(message: message, receipt: nextReceipt))
            hold(message, receipt: nextReceipt, receivedAt: now, until: now + request.visibility)
        }
        _ = window.moveOn()
        remember(request, deliveries, now)
        return deliveries
    }

    /// Notes that a message is in flight, with the position that it has on disk.
    mutating func hold(
        _ message: QueuedMessage, receipt: UInt64, receivedAt: Milliseconds, until deadline: Milliseconds
    ) {
        var kept = message
        kept.content = nil
        inFlight[message.sequence] = InFlight(
            message: kept, receipt: receipt, receivedAt: receivedAt, deadline: deadline,
            storedVisibleAt: message.visibleAt, phase: .held)
        timers.insert(Timer(at: deadline, owner: .message(message.sequence)))
    }

    /// Keeps a message that is about to leave the queue away from receivers until that is on disk.
    private mutating func leave(_ message: QueuedMessage, _ now: Milliseconds) {
        var kept = message
        kept.content = nil
        inFlight[message.sequence] = InFlight(
            message: kept, receipt: 0, receivedAt: now, deadline: .max, storedVisibleAt: message.visibleAt,
            phase: .leaving)
    }

    /// Answers those who do not want to wait, if nothing is on its way from the disk or to it that they could have now.
    mutating func answerImpatient(_ effects: inout Effects) {
        guard !isLoading, returning.isEmpty else { return }
        for id in impatient {
            waiters[id] = nil
            effects.answers.append(Answer(waiter: id, deliveries: []))
        }
        impatient = []
    }

    /// - Returns: whether it was there.
    @discardableResult
    mutating func remove(waiter id: Int) -> Bool {
        impatient.remove(id)
        return waiters.removeValue(forKey: id) != nil
    }

    private mutating func refill(_ effects: inout Effects) {
        guard !isLoading, let start = window.wanted() else { return }
        isLoading = true
        effects.load = PageRequest(start: start, limit: limits.page, generation: generation)
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
    func stands(_ timer: Timer) -> Bool {
        switch timer.owner {
        case .waiter(let id): waiters[id]?.deadline == timer.at
        case .message(let sequence): inFlight[sequence].map { $0.deadline == timer.at && $0.phase == .held } ?? false
        case .load(let generation): isLoading && generation == self.generation
        }
    }

    /// What no longer stands stays until it comes up; when it is the majority, heap and queue are built anew.
    mutating func tidy() {
        if timers.count > 2 * (inFlight.count + waiters.count) + 64 {
            timers = Heap(timers.unordered.filter { stands($0) })
        }
        if waiterOrder.count > 2 * waiters.count + 64 { waiterOrder.removeAll { waiters[$0] == nil } }
    }
}
