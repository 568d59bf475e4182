/// Repeated attempts to receive from a FIFO queue.
extension QueueState {
    /// What an attempt to receive got before, with the same receipts, if nothing has happened to it since.
    mutating func repeated(_ request: ReceiveRequest, _ now: Milliseconds) -> [Delivery]? {
        guard let name = request.attempt, let attempt = attempts[name], attempt.at + limits.attemptInterval > now else {
            return nil
        }
        let isWhole = attempt.sequences.allSatisfy { sequence in
            inFlight[sequence].map { $0.phase == .held && $0.message.sentAt + settings.retention > now } ?? false
        }
        guard isWhole else { return nil }
        var deliveries: [Delivery] = []
        for sequence in attempt.sequences {
            guard var held = inFlight[sequence] else { continue }
            held.deadline = now + request.visibility
            inFlight[sequence] = held
            timers.insert(Timer(at: held.deadline, owner: .message(sequence)))
            deliveries.append(Delivery(message: held.message, receipt: held.receipt))
        }
        tidy()
        return deliveries
    }

    mutating func remember(_ request: ReceiveRequest, _ deliveries: [Delivery], _ now: Milliseconds) {
        guard let name = request.attempt, !deliveries.isEmpty else { return }
        attempts[name] = Attempt(at: now, sequences: deliveries.map(\.message.sequence))
        for delivery in deliveries { inFlight[delivery.message.sequence]?.attempt = name }
    }

    /// A message was deleted or is visible again, or its visibility was changed: then its attempt can't be repeated.
    mutating func forgetAttempt(of held: InFlight) {
        if let name = held.attempt { attempts[name] = nil }
    }

    /// Whether a receipt still entitles to delete a message of a FIFO queue: its visibility timeout has not ended. One
    /// from before a restart does as long as nobody else has the message.
    func entitles(_ receipt: UInt64, to sequence: Int64, now: Milliseconds) -> Bool {
        if let held = inFlight[sequence], held.receipt != 0 { return held.receipt == receipt && held.deadline > now }
        let isOfThisRun = receipt &- receiptSeed &- 1 < nextReceipt &- receiptSeed
        return !isOfThisRun
    }
}
