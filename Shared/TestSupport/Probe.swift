import Synchronization

/// Collects what happens and lets a test wait for it. What has happened before the test looks counts too.
public final class Probe<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var listeners: [AsyncStream<Value>.Continuation] = []
    }

    private let state = Mutex(State())

    /// A probe that has seen nothing.
    public init() {}

    /// All that has happened so far, in its order.
    public var values: [Value] { state.withLock { $0.values } }

    /// Notes that something has happened.
    public func record(_ value: Value) {
        state.withLock { state in
            state.values.append(value)
            state.listeners.removeAll { listener in
                if case .terminated = listener.yield(value) { true } else { false }
            }
        }
    }

    /// Waits for the first value that matches.
    /// - Returns: `nil` if the test's task was cancelled, as by its time limit.
    @discardableResult
    public func first(where matches: (Value) -> Bool) async -> Value? {
        let (past, future) = listen()
        if let match = past.first(where: matches) { return match }
        for await value in future where matches(value) { return value }
        return nil
    }

    /// Waits until `count` values match.
    /// - Returns: those, in their order; fewer if the test's task was cancelled.
    @discardableResult
    public func first(_ count: Int, where matches: (Value) -> Bool = { _ in true }) async -> [Value] {
        let (past, future) = listen()
        var found = Array(past.filter(matches).prefix(count))
        if found.count == count { return found }
        for await value in future where matches(value) {
            found.append(value)
            if found.count == count { break }
        }
        return found
    }

    private func listen() -> (past: [Value], future: AsyncStream<Value>) {
        let (stream, continuation) = AsyncStream<Value>.makeStream()
        let past = state.withLock { state in
            state.listeners.append(continuation)
            return state.values
        }
        return (past, stream)
    }
}

/// Lets tasks wait until a test opens it.
public final class Gate: Sendable {
    private let opened = Probe<Void>()

    /// A closed gate.
    public init() {}

    /// Lets everybody through, from now on.
    public func open() { opened.record(()) }

    /// Returns when the gate is open or the task is cancelled.
    public func pass() async { await opened.first { true } }
}
