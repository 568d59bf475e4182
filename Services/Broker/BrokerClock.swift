import NIOCore
import NIOPosix

/// Time as the broker sees it.
protocol BrokerClock: Sendable {
    /// Milliseconds since 1970. Never goes back.
    func now() -> Milliseconds

    /// Calls `action` once, at that time or right after it.
    func call(at time: Milliseconds, _ action: @escaping @Sendable () -> Void)
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

    func call(at time: Milliseconds, _ action: @escaping @Sendable () -> Void) {
        // A millisecond is added because `now` is cut off to whole ones: an early call would find nothing due.
        let delay = TimeAmount.milliseconds(max(0, time - now()) + 1)
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: delay, action)
    }
}
