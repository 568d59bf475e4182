import Synchronization

/// A bounded queue between the requests that end spans and the exporter that sends them. Taking a span in is one
/// uncontended lock; when the queue is full the span is refused.
final class SpanBuffer: Sendable {
    private struct State {
        var spans: [FinishedSpan] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let wake: AsyncStream<Void>.Continuation

    /// An element whenever there is something to take after there was nothing; ends when the buffer is closed.
    let filled: AsyncStream<Void>

    init(capacity: Int) {
        self.capacity = capacity
        (self.filled, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// - Returns: false when there was no room.
    func append(_ span: FinishedSpan) -> Bool {
        let (isTaken, wasEmpty) = self.state.withLock { state in
            guard state.spans.count < self.capacity else { return (false, false) }
            state.spans.append(span)
            return (true, state.spans.count == 1)
        }
        if wasEmpty { self.wake.yield() }
        return isTaken
    }

    /// Takes the oldest spans out, at most `limit`.
    func take(_ limit: Int) -> [FinishedSpan] {
        self.state.withLock { state in
            let batch = Array(state.spans.prefix(limit))
            state.spans.removeFirst(batch.count)
            return batch
        }
    }

    var isClosed: Bool { self.state.withLock { $0.isClosed } }

    /// Ends `filled`. Spans are still taken in, for the last flush.
    func close() {
        self.state.withLock { $0.isClosed = true }
        self.wake.finish()
    }
}
