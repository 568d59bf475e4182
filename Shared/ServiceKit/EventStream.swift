import HTTPTypes
public import Hummingbird
import Metrics
import NIOCore
import ServiceLifecycle
import Synchronization

/// An answer that goes on for as long as somebody reads it: server-sent events (WHATWG HTML, section 9.2).
///
/// It holds no events: what is sent waits until the reader takes it, and whoever sends keeps no more than it sends at
/// once. A reader who takes nothing for too long is cut off and comes back with `Last-Event-ID`.
public final class EventStream {
    private var writer: any ResponseBodyWriter
    private let channel: any Channel
    private let heartbeat: Duration
    /// Wakes the one who sends; may be called from anywhere.
    public let waker = Waker()

    /// How long a write may take after the service was asked to stop.
    fileprivate static let lastPatience = TimeAmount.seconds(1)

    fileprivate init(writer: any ResponseBodyWriter, channel: any Channel, heartbeat: Duration) {
        self.writer = writer
        self.channel = channel
        self.heartbeat = heartbeat
    }

    /// Whether the reader has gone or the service is shutting down. Then nothing more is to be sent.
    public var isOver: Bool { waker.isOver || Task.isCancelled }

    /// Waits until somebody has called the waker since the last time, or the stream is over. Meanwhile it sends comments,
    /// so that neither the reader nor anything in between takes the connection for dead.
    public func waitUntilWoken() async throws {
        while case .beat = await waker.next() { try await write(ByteBuffer(string: ":\n\n")) }
    }

    /// Sends events, and returns once there is room for more.
    /// - Throws: when the connection is gone, also because the reader has taken nothing for too long.
    public func send(_ events: [ServerSentEvent]) async throws {
        var buffer = ByteBuffer()
        for event in events { event.write(to: &buffer) }
        try await write(buffer)
    }

    /// Says when to come back after a break: not all at the same moment, for after a restart all come at once.
    fileprivate func begin() async throws {
        try await write(ByteBuffer(string: "retry: \(Int.random(in: 1000...3000))\n\n"))
    }

    /// Ends the answer as a whole one, so that the reader knows that nothing was cut off.
    fileprivate func finish() async throws { try await writer.finish(nil) }

    private func write(_ buffer: ByteBuffer) async throws {
        let cutOff = channel.eventLoop.scheduleTask(in: TimeAmount(heartbeat * 2)) { [channel] in
            Counter(label: "http.server.event_streams.cut_off").increment()
            channel.close(promise: nil)
        }
        defer { cutOff.cancel() }
        try await writer.write(buffer)
    }
}

extension ShopRequestContext {
    /// Answers with a stream of events.
    /// - Parameters:
    ///   - heartbeat: how long nothing may happen without a sign of life. A reader who takes nothing of what is sent for
    ///     twice as long is cut off.
    ///   - produce: sends the events. The answer ends when it returns, which it is to do when the stream is over.
    public func eventStream(
        heartbeat: Duration, _ produce: @escaping @Sendable (EventStream) async throws -> Void
    ) -> Response {
        // Intermediaries must neither keep nor collect it; X-Accel-Buffering is nginx's name for that.
        let headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no",
        ]
        let body = ResponseBody { [channel] writer in
            let stream = EventStream(writer: writer, channel: channel, heartbeat: heartbeat)
            let waker = stream.waker
            let end: @Sendable () -> Void = {
                waker.end()
                // A write that the reader doesn't let through must not hold up the shutdown.
                channel.eventLoop.scheduleTask(in: EventStream.lastPatience) { channel.close(promise: nil) }
            }
            let departure = await DepartureHandler.departure(of: channel)
            let observation = departure?.observe(end)
            defer { if let observation { departure?.remove(observation) } }
            let beats = channel.eventLoop.scheduleRepeatedTask(
                initialDelay: TimeAmount(heartbeat), delay: TimeAmount(heartbeat)
            ) { _ in waker.beat() }
            defer { beats.cancel() }
            let open = Meter(label: "http.server.event_streams")
            open.increment()
            defer { open.decrement() }
            try await withGracefulShutdownHandler {
                try await stream.begin()
                try await produce(stream)
            } onGracefulShutdown: {
                end()
            }
            try await stream.finish()
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}

extension EventStream {
    /// Lets one task sleep until there is something to do. There are thousands of them, so it is no more than a place to
    /// wait at: no task of its own, and no timer.
    public final class Waker: Sendable {
        enum Reason { case news, beat, over }

        private struct State {
            var hasNews = false
            var isBeatDue = false
            var isOver = false
            var sleeper: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        var isOver: Bool { state.withLock(\.isOver) }

        /// There is news. Counts once, however often it is called before the sender looks, and is never missed.
        public func wake() { change { $0.hasNews = true } }

        func beat() { change { $0.isBeatDue = true } }

        func end() { change { $0.isOver = true } }

        private func change(_ change: (inout State) -> Void) {
            let sleeper = state.withLock { state in
                change(&state)
                defer { state.sleeper = nil }
                return state.sleeper
            }
            sleeper?.resume()
        }

        /// Sleeps until there is a reason not to.
        func next() async -> Reason {
            while true {
                let reason: Reason? = state.withLock { state in
                    if state.isOver { return .over }
                    if state.hasNews {
                        state.hasNews = false
                        return .news
                    }
                    defer { state.isBeatDue = false }
                    return state.isBeatDue ? .beat : nil
                }
                if let reason { return reason }
                await rest()
            }
        }

        private func rest() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isAwake = state.withLock { state in
                        if state.hasNews || state.isBeatDue || state.isOver { return true }
                        state.sleeper = continuation
                        return false
                    }
                    if isAwake { continuation.resume() }
                }
            } onCancel: {
                end()
            }
        }
    }
}

extension HTTPField.Name {
    fileprivate static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
