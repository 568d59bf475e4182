import Synchronization

/// Wakes one waiting loop. Raising it several times before the loop looks counts once, and a raise is never missed.
public final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var waiting: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())

    public init() {}

    /// Wakes the loop, now or when it next waits.
    public func raise() {
        let waiting = state.withLock { state in
            state.isRaised = state.waiting == nil
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: true)
    }

    /// Returns when the signal is raised, when `deadline` has passed, or when the task is cancelled.
    /// - Returns: whether it was raised. That counts as heard then, even if the deadline passed in the same moment.
    @discardableResult
    public func wait<WaitClock: Clock>(until deadline: WaitClock.Instant?, clock: WaitClock) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait() }
            if let deadline {
                group.addTask {
                    try? await clock.sleep(until: deadline, tolerance: nil)
                    return false
                }
            }
            let isFirst = await group.next() ?? false
            group.cancelAll()
            return await group.reduce(isFirst) { $0 || $1 }
        }
    }

    private func wait() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.isRaised || Task.isCancelled {
                        defer { state.isRaised = false }
                        return state.isRaised
                    }
                    state.waiting = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(returning: false)
        }
    }
}
