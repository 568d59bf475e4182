public import Tracing

/// The tracer behind `withSpan`: makes spans by W3C Trace Context and hands them to its sinks when they end.
///
/// Without a sink spans still get their ids, so that traces stay whole through a service that doesn't export.
/// In messages and headers it reads and writes the keys `traceparent`, `tracestate` and `correlationid`, the names of
/// CloudEvents' extensions.
public final class ShopTracer: Tracer {
    public typealias Span = ShopSpan

    private let sinks: [any SpanSink]
    private let sampler: Sampler

    /// - Parameters:
    ///   - sinks: what gets each recorded span.
    ///   - sampler: says which traces are recorded.
    public init(sinks: [any SpanSink] = [], sampler: Sampler = .standard) {
        self.sinks = sinks
        self.sampler = sampler
    }

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String,
        context: @autoclosure () -> ServiceContext,
        ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant,
        function: String,
        file fileID: String,
        line: UInt
    ) -> ShopSpan {
        var context = context()
        let parent = context.spanContext
        let traceID = parent?.traceID ?? TraceID()
        let spanContext = SpanContext(
            traceID: traceID, isSampled: self.sampler.samples(traceID, caller: parent), tracestate: parent?.tracestate)
        context.spanContext = spanContext
        var attributes = SpanAttributes()
        attributes[AttributeName.correlationID] = context.correlationID
        let start = instant().nanosecondsSinceEpoch
        let span = FinishedSpan(
            name: operationName, kind: kind, spanContext: spanContext, parentSpanID: parent?.spanID,
            startNanoseconds: start, endNanoseconds: start, attributes: attributes, events: [], links: [])
        return ShopSpan(span, context: context, sinks: self.sinks)
    }

    public func forceFlush() {}

    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        if let traceparent = extractor.extract(key: Key.traceparent, from: carrier) {
            let tracestate = extractor.extract(key: Key.tracestate, from: carrier)
            context.spanContext = SpanContext(traceparent: traceparent, tracestate: tracestate)
        }
        if let id = extractor.extract(key: Key.correlationID, from: carrier), CorrelationID.isValid(id) {
            context.correlationID = id
        }
    }

    public func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        if let spanContext = context.spanContext {
            injector.inject(spanContext.traceparent, forKey: Key.traceparent, into: &carrier)
            if let tracestate = spanContext.tracestate {
                injector.inject(tracestate, forKey: Key.tracestate, into: &carrier)
            }
        }
        if let id = context.correlationID {
            injector.inject(id, forKey: Key.correlationID, into: &carrier)
        }
    }

    private enum Key {
        static let traceparent = "traceparent"
        static let tracestate = "tracestate"
        static let correlationID = "correlationid"
    }
}
