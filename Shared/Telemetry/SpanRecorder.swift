import Synchronization

/// Keeps spans in memory, for tests.
public final class SpanRecorder: SpanSink {
    private struct State {
        var spans: [FinishedSpan] = []
        var listeners: [AsyncStream<FinishedSpan>.Continuation] = []
    }

    private let state = Mutex(State())

    /// An empty recorder.
    public init() {}

    /// All spans that have ended so far, in the order in which they ended.
    public var spans: [FinishedSpan] { self.state.withLock { $0.spans } }

    /// All that have ended so far for one correlation id; the way to tell tests apart that share a tracer.
    public func spans(correlationID: String) -> [FinishedSpan] {
        self.spans.filter { $0.correlationID == correlationID }
    }

    public func record(_ span: FinishedSpan) {
        self.state.withLock { state in
            state.spans.append(span)
            state.listeners.removeAll { listener in
                if case .terminated = listener.yield(span) { true } else { false }
            }
        }
    }

    /// Waits for the first span that matches, among those that have ended already too.
    ///
    /// - Returns: nil when the task was cancelled first.
    public func first(where matches: (FinishedSpan) -> Bool) async -> FinishedSpan? {
        let (stream, continuation) = AsyncStream<FinishedSpan>.makeStream()
        defer { continuation.finish() }
        let past = self.state.withLock { state in
            state.listeners.append(continuation)
            return state.spans
        }
        if let match = past.first(where: matches) { return match }
        for await span in stream where matches(span) { return span }
        return nil
    }
}
