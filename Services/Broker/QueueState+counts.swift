extension QueueState {
    /// What the queue holds, as far as memory knows.
    func counts(now: Milliseconds) -> Counts {
        var counts = window.counts(now: now)
        counts.inFlight = inFlight.count
        for held in inFlight.values {
            counts.oldestSentAt = min(counts.oldestSentAt ?? held.message.sentAt, held.message.sentAt)
        }
        return counts
    }

    /// Whether there is nothing to receive until something is sent or a visibility timeout ends. What is on its way from
    /// the disk or to it is something, and so is what waits for another message of its group.
    func isDrained(now: Milliseconds) -> Bool {
        window.counts(now: now).visible == 0 && !inFlight.values.contains { $0.phase == .leaving }
    }

    /// Whether no more can be in flight. What expires is too, until its deletion is on disk.
    var isFull: Bool { inFlight.count >= limits.inFlight }

    func isInFlight(_ sequence: Int64) -> Bool { inFlight[sequence] != nil }

    /// How many messages are in the window: what the memory bound is about.
    var windowCount: Int { window.count }
}
