import Synchronization
public import Tracing

/// A span that has ended: a value that can be kept, compared and exported.
public struct FinishedSpan: Sendable {
    /// What was done, by OpenTelemetry's conventions: `POST /orders`, `process order`.
    public var name: String
    /// Server, client, producer, consumer or internal.
    public var kind: SpanKind
    /// The ids of the span.
    public var spanContext: SpanContext
    /// The span that caused this one; nil at the root of a trace.
    public var parentSpanID: SpanID?
    /// When it began, in nanoseconds since 1970.
    public var startNanoseconds: UInt64
    /// When it ended, in nanoseconds since 1970.
    public var endNanoseconds: UInt64
    /// What is known about it; `shop.correlation_id` is always among them where there is one.
    public var attributes: SpanAttributes
    /// What happened during it.
    public var events: [SpanEvent]
    /// Spans that it has to do with and that aren't its parent.
    public var links: [SpanLink]
    /// How it ended; nil when nobody said.
    public var status: SpanStatus?

    /// The correlation id that was in the context when the span began.
    public var correlationID: String? {
        guard case .string(let id) = self.attributes[AttributeName.correlationID]?.toSpanAttribute() else { return nil }
        return id
    }
}

enum AttributeName {
    static let correlationID = "shop.correlation_id"
    static let errorType = "error.type"
}

/// Takes spans as they end. It is called on the path of a request, so it must return at once.
public protocol SpanSink: Sendable {
    /// Takes one span that has just ended.
    func record(_ span: FinishedSpan)
}

/// A span of ``ShopTracer``.
public final class ShopSpan: Tracing.Span {
    /// More events or links than this on a span are a loop gone wrong; what is over is dropped to keep memory bounded.
    static let limit = 128

    public let context: ServiceContext
    public let isRecording: Bool
    private struct State {
        /// nil once it has ended, or from the start when nothing is recorded.
        var span: FinishedSpan?
        var hasRecordedError = false
    }

    private let state: Mutex<State>
    private let sinks: [any SpanSink]

    init(_ span: FinishedSpan, context: ServiceContext, sinks: [any SpanSink]) {
        self.context = context
        self.sinks = sinks
        self.isRecording = span.spanContext.isSampled && !sinks.isEmpty
        self.state = Mutex(State(span: self.isRecording ? span : nil))
    }

    public var operationName: String {
        get { self.state.withLock { $0.span?.name ?? "" } }
        set { self.state.withLock { $0.span?.name = newValue } }
    }

    public var attributes: SpanAttributes {
        get { self.state.withLock { $0.span?.attributes ?? [:] } }
        set { self.state.withLock { $0.span?.attributes = newValue } }
    }

    public func setStatus(_ status: SpanStatus) {
        self.state.withLock { state in
            // After `recordError` comes `withSpan` with a bare error status, which says less than what is known.
            if status == SpanStatus(code: .error), state.hasRecordedError { return }
            state.span?.status = status
        }
    }

    public func addEvent(_ event: SpanEvent) {
        self.state.withLock { state in
            if let count = state.span?.events.count, count < Self.limit { state.span?.events.append(event) }
        }
    }

    public func addLink(_ link: SpanLink) {
        self.state.withLock { state in
            if let count = state.span?.links.count, count < Self.limit { state.span?.links.append(link) }
        }
    }

    /// Notes the error as an `exception` event. It also fails the span, unless a status was set already or the work was
    /// merely cancelled: `withSpan` calls this for what is thrown through it, and nothing else would mark the span.
    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        guard self.isRecording else { return }
        let type = String(reflecting: Swift.type(of: error))
        var attributes = attributes
        attributes["exception.type"] = type
        attributes["exception.message"] = String(describing: error)
        self.addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
        let isFailure = !(error is CancellationError)
        self.state.withLock { state in
            state.hasRecordedError = true
            guard isFailure, state.span?.status == nil else { return }
            state.span?.status = SpanStatus(code: .error, message: String(describing: error))
            if state.span?.attributes[AttributeName.errorType] == nil {
                state.span?.attributes[AttributeName.errorType] = type
            }
        }
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let ended = self.state.withLock { state in
            defer { state.span = nil }
            return state.span
        }
        guard var ended else { return }
        ended.endNanoseconds = instant().nanosecondsSinceEpoch
        for sink in self.sinks { sink.record(ended) }
    }
}
