import Collections

/// The waiting messages of a standard queue: the earliest ones in memory, the others counted.
///
/// A message in the window has exactly the position that it has on disk, and every waiting message before the horizon
/// is in the window.
struct QueueWindow: WaitingMessages {
    var limits: QueueState.Limits { didSet { shrink() } }
    private var messages: [Int64: QueuedMessage] = [:]
    private var order = Heap<Position>()
    private var contentBytes = 0

    /// The first position that is not in the window; nothing is beyond if it is `nil`.
    private var horizon: Position?
    private(set) var beyond = 0

    /// - Parameter stored: how many messages are on disk, none of which is in memory yet.
    init(stored: Int, limits: QueueState.Limits) {
        self.limits = limits
        guard stored > 0 else { return }
        beyond = stored
        horizon = .first
    }

    var count: Int { messages.count }

    func contains(_ sequence: Int64) -> Bool { messages[sequence] != nil }

    mutating func place(_ message: QueuedMessage) {
        if let horizon, message.position >= horizon {
            beyond += 1
        } else {
            insert(message)
            evict()
        }
    }

    mutating func putBack(_ message: QueuedMessage) { place(message) }

    mutating func release(_ message: QueuedMessage) {}

    mutating func wanted() -> QueueState.PageRequest.Start? {
        guard let horizon, messages.count < limits.page / 2 else { return nil }
        return .next(horizon)
    }

    mutating func join(
        _ page: QueueState.Page, for start: QueueState.PageRequest.Start, now: Milliseconds,
        unless isInFlight: (Int64) -> Bool
    ) -> [QueuedMessage] {
        // If the window overflowed meanwhile, the page no longer joins on to it.
        guard let horizon, start == .next(horizon) else { return [] }
        for message in page.messages where !isInFlight(message.sequence) {
            beyond = max(0, beyond - 1)
            insert(message)
        }
        self.horizon = page.end
        if page.end == nil { beyond = 0 }
        evict()
        return []
    }

    mutating func front() -> QueuedMessage? {
        while let first = order.min {
            if let message = messages[first.sequence], message.position == first { return message }
            order.removeMin()
        }
        return nil
    }

    mutating func takeFront(_ message: QueuedMessage) {
        order.removeMin()
        messages[message.sequence] = nil
        contentBytes -= message.content?.size ?? 0
    }

    mutating func moveOn() -> Bool { false }

    mutating func take(_ sequence: Int64) -> QueuedMessage? {
        guard let message = messages.removeValue(forKey: sequence) else { return nil }
        contentBytes -= message.content?.size ?? 0
        // Its position stays in the heap until it comes up, or until such positions are the majority.
        if order.count > 2 * messages.count + 64 { order = Heap(messages.values.map(\.position)) }
        return message
    }

    mutating func remove(_ sequence: Int64) {
        if take(sequence) == nil { beyond = max(0, beyond - 1) }
    }

    func counts(now: Milliseconds) -> QueueState.Counts {
        var counts = QueueState.Counts()
        for message in messages.values { counts.add(message, now: now) }
        if let horizon, horizon.visibleAt > now { counts.delayed += beyond } else { counts.visible += beyond }
        return counts
    }

    private mutating func insert(_ message: QueuedMessage) {
        var message = message
        let size = message.content?.size ?? 0
        if contentBytes + size > limits.contentBytes { message.content = nil } else { contentBytes += size }
        messages[message.sequence] = message
        order.insert(message.position)
    }

    /// Leaves the last messages to the disk if there are too many in memory.
    private mutating func evict() {
        while messages.count > limits.window, let last = order.popMax() {
            guard let message = messages[last.sequence], message.position == last else { continue }
            messages[last.sequence] = nil
            contentBytes -= message.content?.size ?? 0
            horizon = last
            beyond += 1
        }
    }

    /// Keeps no more than the limits allow from now on: the last messages go, and of those that stay the last contents.
    private mutating func shrink() {
        evict()
        guard contentBytes > limits.contentBytes else { return }
        for message in messages.values.sorted(by: { $0.position > $1.position }) {
            guard contentBytes > limits.contentBytes else { return }
            contentBytes -= message.content?.size ?? 0
            messages[message.sequence]?.content = nil
        }
    }
}
