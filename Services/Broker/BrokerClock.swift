import NIOCore
import NIOPosix
import Synchronization

/// Time as the broker sees it.
protocol BrokerClock: Sendable {
    /// Milliseconds since 1970. Never goes back.
    func now() -> Milliseconds

    /// Calls `action` once, at that time or right after it.
    /// - Returns: what takes the call back, if it has not been made yet.
    @discardableResult
    func call(at time: Milliseconds, _ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void
}

/// The wall clock at the start, carried on by a clock that nobody can set back.
struct SystemClock: BrokerClock {
    private let started = NIODeadline.now()
    private let startedAt: Milliseconds

    init() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        startedAt = Milliseconds(time.tv_sec) * 1000 + Milliseconds(time.tv_nsec) / 1_000_000
    }

    func now() -> Milliseconds { startedAt + (NIODeadline.now() - started).nanoseconds / 1_000_000 }

    @discardableResult
    func call(at time: Milliseconds, _ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        // A millisecond is added because `now` is cut off to whole ones: an early call would find nothing due.
        let delay = TimeAmount.milliseconds(max(0, time - now()) + 1)
        let call = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: delay, action)
        return { call.cancel() }
    }
}

extension BrokerClock {
    /// Returns at that time, or when the task is cancelled.
    func sleep(until time: Milliseconds) async {
        guard time > now() else { return }
        let alarm = Alarm()
        let takeBack = call(at: time) { alarm.ring() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { alarm.set(for: $0) }
        } onCancel: {
            takeBack()
            alarm.ring()
        }
    }
}

/// Wakes one sleeper once, whoever rings first.
private final class Alarm: Sendable {
    private struct State {
        var hasRung = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func set(for sleeper: CheckedContinuation<Void, Never>) {
        let hasRung = state.withLock { state in
            if !state.hasRung { state.sleeper = sleeper }
            return state.hasRung
        }
        if hasRung { sleeper.resume() }
    }

    func ring() {
        let sleeper = state.withLock { state in
            state.hasRung = true
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }
}
