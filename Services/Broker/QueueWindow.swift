import Collections

/// The waiting messages of a queue: the earliest ones in memory, the others counted.
///
/// A message in the window has exactly the position that it has on disk, and every waiting message before the horizon
/// is in the window.
struct QueueWindow: Sendable {
    private(set) var messages: [Int64: QueuedMessage] = [:]
    private var order = Heap<Position>()
    private var contentBytes = 0

    /// The first position that is not in the window; nothing is beyond if it is `nil`.
    private(set) var horizon: Position?
    /// How many messages are beyond the horizon.
    private(set) var beyond = 0

    /// - Parameter stored: how many messages are on disk, none of which is in memory yet.
    init(stored: Int) {
        guard stored > 0 else { return }
        beyond = stored
        horizon = .first
    }

    /// Takes up a message that waits from now on.
    mutating func place(_ message: QueuedMessage, _ limits: QueueState.Limits) {
        if let horizon, message.position >= horizon {
            beyond += 1
        } else {
            insert(message, limits)
            evict(limits)
        }
    }

    /// Joins a page from disk, which begins at the horizon. Messages in flight are on the page too, but don't wait.
    mutating func join(
        _ page: [QueuedMessage], isLast: Bool, _ limits: QueueState.Limits, unless isInFlight: (Int64) -> Bool
    ) {
        for message in page where !isInFlight(message.sequence) {
            beyond = max(0, beyond - 1)
            insert(message, limits)
        }
        if isLast {
            horizon = nil
            beyond = 0
        } else if let last = page.last {
            horizon = Position(visibleAt: last.visibleAt, sequence: last.sequence + 1)
        }
        evict(limits)
    }

    /// The earliest message.
    mutating func front() -> QueuedMessage? {
        while let first = order.min {
            if let message = messages[first.sequence], message.position == first { return message }
            order.removeMin()
        }
        return nil
    }

    /// Takes the earliest message, which `front` has just returned, out.
    mutating func removeFront(_ message: QueuedMessage) {
        order.removeMin()
        messages[message.sequence] = nil
        contentBytes -= message.content?.size ?? 0
    }

    /// Forgets a message, wherever it waits.
    mutating func remove(_ sequence: Int64) {
        if let message = messages.removeValue(forKey: sequence) {
            contentBytes -= message.content?.size ?? 0
            // Its position stays in the heap until it comes up, or until such positions are the majority.
            if order.count > 2 * messages.count + 64 { order = Heap(messages.values.map(\.position)) }
        } else {
            beyond = max(0, beyond - 1)
        }
    }

    private mutating func insert(_ message: QueuedMessage, _ limits: QueueState.Limits) {
        var message = message
        let size = message.content?.size ?? 0
        if contentBytes + size > limits.contentBytes { message.content = nil } else { contentBytes += size }
        messages[message.sequence] = message
        order.insert(message.position)
    }

    private mutating func evict(_ limits: QueueState.Limits) {
        while messages.count > limits.window, let last = order.popMax() {
            guard let message = messages[last.sequence], message.position == last else { continue }
            messages[last.sequence] = nil
            contentBytes -= message.content?.size ?? 0
            horizon = last
            beyond += 1
        }
    }
}
