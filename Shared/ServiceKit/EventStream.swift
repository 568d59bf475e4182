import HTTPTypes
public import Hummingbird
import Metrics
import NIOCore
import ServiceLifecycle

/// An answer that goes on for as long as somebody reads it: server-sent events (WHATWG HTML, section 9.2).
///
/// It holds no events: what is sent waits until the reader takes it, and whoever sends keeps no more than it sends at
/// once. A reader who takes nothing for too long is cut off and comes back with `Last-Event-ID`.
public final class EventStream {
    private var writer: any ResponseBodyWriter
    private let channel: any Channel
    private let over: Departure
    private let patience: Duration

    /// How long a write may take after the service was asked to stop.
    fileprivate static let lastPatience = TimeAmount.seconds(1)

    fileprivate init(
        writer: any ResponseBodyWriter, channel: any Channel, over: Departure, patience: Duration
    ) {
        self.writer = writer
        self.channel = channel
        self.over = over
        self.patience = patience
    }

    /// Whether the reader has gone or the service is shutting down. Then nothing more is to be sent.
    public var isOver: Bool { over.hasHappened }

    /// Calls the action when the stream is over, at once if it is.
    public func whenOver(_ action: @escaping @Sendable () -> Void) { _ = over.observe(action) }

    /// Sends events, and returns once there is room for more.
    /// - Throws: when the connection is gone, also because the reader has taken nothing for too long.
    public func send(_ events: [ServerSentEvent]) async throws {
        var buffer = ByteBuffer()
        for event in events { event.write(to: &buffer) }
        try await write(buffer)
    }

    /// Sends a comment, so that neither the reader nor anything in between takes the connection for dead.
    public func sendHeartbeat() async throws { try await write(ByteBuffer(string: ":\n\n")) }

    /// Says when to come back after a break: not all at the same moment, for after a restart all come at once.
    fileprivate func begin() async throws {
        try await write(ByteBuffer(string: "retry: \(Int.random(in: 1000...3000))\n\n"))
    }

    /// Ends the answer as a whole one, so that the reader knows that nothing was cut off.
    fileprivate func finish() async throws { try await writer.finish(nil) }

    private func write(_ buffer: ByteBuffer) async throws {
        let cutOff = channel.eventLoop.scheduleTask(in: TimeAmount(patience)) { [channel] in
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
    ///   - patience: how long a reader may take nothing of what is sent.
    ///   - produce: sends the events. The answer ends when it returns, which it is to do when the stream is over.
    public func eventStream(
        patience: Duration, _ produce: @escaping @Sendable (EventStream) async throws -> Void
    ) -> Response {
        // Intermediaries must neither keep nor collect it; X-Accel-Buffering is nginx's name for that.
        let headers: HTTPFields = [
            .contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no",
        ]
        let body = ResponseBody { [channel] writer in
            let over = Departure()
            let departure = await DepartureHandler.departure(of: channel)
            let observation = departure?.observe { over.happened() }
            defer { if let observation { departure?.remove(observation) } }
            // A write that the reader doesn't let through must not hold up the shutdown.
            _ = over.observe {
                channel.eventLoop.scheduleTask(in: EventStream.lastPatience) { channel.close(promise: nil) }
            }
            let open = Meter(label: "http.server.event_streams")
            open.increment()
            defer { open.decrement() }
            let stream = EventStream(writer: writer, channel: channel, over: over, patience: patience)
            try await withGracefulShutdownHandler {
                try await stream.begin()
                try await produce(stream)
            } onGracefulShutdown: {
                over.happened()
            }
            try await stream.finish()
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}

extension HTTPField.Name {
    fileprivate static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
