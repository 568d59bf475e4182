extension QueueState {
    /// What the queue holds, as far as memory knows.
    func counts(now: Milliseconds) -> Counts {
        var counts = Counts(inFlight: inFlight.count)
        for message in window.messages.values {
            if message.visibleAt > now { counts.delayed += 1 } else { counts.visible += 1 }
            counts.oldestSentAt = min(counts.oldestSentAt ?? message.sentAt, message.sentAt)
        }
        for held in inFlight.values {
            counts.oldestSentAt = min(counts.oldestSentAt ?? held.message.sentAt, held.message.sentAt)
        }
        if let horizon = window.horizon, horizon.visibleAt > now {
            counts.delayed += window.beyond
        } else {
            counts.visible += window.beyond
        }
        return counts
    }

    /// Whether no more can be in flight.
    var isFull: Bool { inFlight.count >= limits.inFlight }

    func isInFlight(_ sequence: Int64) -> Bool { inFlight[sequence] != nil }

    /// How many messages are in the window: what the memory bound is about.
    var windowCount: Int { window.messages.count }
}
