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
    private let state: Mutex<FinishedSpan?>
    private let sinks: [any SpanSink]

    init(_ span: FinishedSpan, context: ServiceContext, sinks: [any SpanSink]) {
        self.context = context
        self.sinks = sinks
        self.isRecording = span.spanContext.isSampled && !sinks.isEmpty
        self.state = Mutex(self.isRecording ? span : nil)
    }

    public var operationName: String {
        get { self.state.withLock { $0?.name ?? "" } }
        set { self.state.withLock { $0?.name = newValue } }
    }

    public var attributes: SpanAttributes {
        get { self.state.withLock { $0?.attributes ?? [:] } }
        set { self.state.withLock { $0?.attributes = newValue } }
    }

    public func setStatus(_ status: SpanStatus) {
        self.state.withLock { $0?.status = status }
    }

    public func addEvent(_ event: SpanEvent) {
        self.state.withLock { span in
            if let count = span?.events.count, count < Self.limit { span?.events.append(event) }
        }
    }

    public func addLink(_ link: SpanLink) {
        self.state.withLock { span in
            if let count = span?.links.count, count < Self.limit { span?.links.append(link) }
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
        guard !(error is CancellationError) else { return }
        self.state.withLock { span in
            guard span?.status == nil else { return }
            span?.status = SpanStatus(code: .error, message: String(describing: error))
            if span?.attributes[AttributeName.errorType] == nil { span?.attributes[AttributeName.errorType] = type }
        }
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let ended = self.state.withLock { span -> FinishedSpan? in
            defer { span = nil }
            return span
        }
        guard var ended else { return }
        ended.endNanoseconds = instant().nanosecondsSinceEpoch
        for sink in self.sinks { sink.record(ended) }
    }
}
