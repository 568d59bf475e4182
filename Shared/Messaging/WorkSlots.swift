import Synchronization

/// Bounds how much is worked on at once: take slots before fetching work, give each back when its work is done.
public final class WorkSlots: Sendable {
    private struct State {
        var free: Int
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    public init(_ count: Int) { state = Mutex(State(free: count)) }

    /// Waits until at least one slot is free, then takes up to `most`. For one taker at a time.
    /// - Returns: how many were taken.
    public func take(upTo most: Int) async -> Int {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.free > 0 { return true }
                state.waiting = continuation
                return false
            }
            if isFree { continuation.resume() }
        }
        return state.withLock { state in
            let taken = min(most, state.free)
            state.free -= taken
            return taken
        }
    }

    /// Gives slots back.
    public func give(back count: Int = 1) {
        let waiting = state.withLock { state in
            state.free += count
            defer { if count > 0 { state.waiting = nil } }
            return count > 0 ? state.waiting : nil
        }
        waiting?.resume()
    }
}
