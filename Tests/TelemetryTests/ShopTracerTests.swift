import Telemetry
import Testing
import Tracing

@Suite("Tracer")
struct ShopTracerTests {
    let recorder = SpanRecorder()
    var tracer: ShopTracer { ShopTracer(sinks: [self.recorder]) }

    private struct Carrier: Injector, Extractor {
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    }

    @Test("a span within a span is its child, in the same trace, with the same correlation id")
    func parent() throws {
        var context = ServiceContext.topLevel
        context.correlationID = "c-1"
        let tracer = self.tracer
        ServiceContext.withValue(context) {
            tracer.withSpan("outer", ofKind: .server) { _ in
                tracer.withSpan("inner") { _ in }
            }
        }
        let spans = self.recorder.spans(correlationID: "c-1")
        #expect(spans.map(\.name) == ["inner", "outer"])
        let (inner, outer) = (try #require(spans.first), try #require(spans.last))
        #expect(outer.parentSpanID == nil)
        #expect(inner.parentSpanID == outer.spanContext.spanID)
        #expect(inner.spanContext.traceID == outer.spanContext.traceID)
        #expect(inner.spanContext.spanID != outer.spanContext.spanID)
        #expect(outer.kind == .server)
        #expect(outer.startNanoseconds <= inner.startNanoseconds && inner.endNanoseconds <= outer.endNanoseconds)
    }

    @Test("what goes out by message comes in on the other side")
    func propagation() throws {
        let tracer = self.tracer
        var context = ServiceContext.topLevel
        context.correlationID = "c-2"
        let sending = tracer.startSpan("send", context: context, ofKind: .producer)
        var message: [String: String] = [:]
        tracer.inject(sending.context, into: &message, using: Carrier())
        sending.end()
        #expect(Set(message.keys) == ["traceparent", "correlationid"])

        var received = ServiceContext.topLevel
        tracer.extract(message, into: &received, using: Carrier())
        tracer.startSpan("process", context: received, ofKind: .consumer).end()
        let spans = self.recorder.spans(correlationID: "c-2")
        #expect(spans.last?.parentSpanID == spans.first?.spanContext.spanID)
        #expect(spans.last?.spanContext.traceID == spans.first?.spanContext.traceID)
    }

    @Test("what can't be used isn't taken over")
    func unusable() {
        var context = ServiceContext.topLevel
        let message = ["traceparent": "nonsense", "correlationid": "two words"]
        self.tracer.extract(message, into: &context, using: Carrier())
        #expect(context.spanContext == nil)
        #expect(context.correlationID == nil)
    }

    @Test("tracestate travels along")
    func tracestate() {
        var context = ServiceContext.topLevel
        self.tracer.extract(
            ["traceparent": SpanContextTests.example, "tracestate": "a=b"], into: &context, using: Carrier())
        var message: [String: String] = [:]
        self.tracer.inject(self.tracer.startSpan("x", context: context).context, into: &message, using: Carrier())
        #expect(message["tracestate"] == "a=b")
        #expect(message["traceparent"]?.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") == true)
    }

    @Test("a trace that its caller doesn't record isn't recorded, and the decision goes on")
    func unsampled() throws {
        var context = ServiceContext.topLevel
        context.spanContext = SpanContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
        let span = self.tracer.startSpan("quiet", context: context)
        #expect(!span.isRecording)
        span.attributes["ignored"] = 1
        span.end()
        #expect(self.recorder.spans.isEmpty)
        #expect(try #require(span.context.spanContext).traceparent.hasSuffix("-00"))
    }

    @Test("without a sink ids go on all the same")
    func withoutSink() throws {
        let span = ShopTracer().startSpan("alone", context: .topLevel)
        #expect(!span.isRecording)
        #expect(try #require(span.context.spanContext).isSampled)
    }

    @Test("an error that goes through a span fails it and is an event")
    func error() throws {
        struct Broken: Error {}
        #expect(throws: Broken.self) { try self.tracer.withSpan("broken") { _ in throw Broken() } }
        let span = try #require(self.recorder.spans.first)
        #expect(span.status?.code == .error)
        #expect(span.events.map(\.name) == ["exception"])
        #expect(span.attributes["error.type"]?.toSpanAttribute() == .string(String(reflecting: Broken.self)))
    }

    @Test("a cancelled span hasn't failed")
    func cancelled() throws {
        #expect(throws: CancellationError.self) { try self.tracer.withSpan("wait") { _ in throw CancellationError() } }
        #expect(try #require(self.recorder.spans.first).status == nil)
    }

    @Test("a span ends once, and takes nothing in afterwards")
    func endsOnce() {
        let span = self.tracer.startSpan("once", context: .topLevel)
        span.end()
        span.addEvent("late")
        span.end()
        #expect(self.recorder.spans.count == 1)
        #expect(self.recorder.spans.first?.events.isEmpty == true)
    }

    @Test("events and links of a span are bounded")
    func bounded() {
        let span = self.tracer.startSpan("busy", context: .topLevel)
        for _ in 0..<1000 {
            span.addEvent("again")
            span.addLink(SpanLink(context: .topLevel, attributes: [:]))
        }
        span.end()
        #expect(self.recorder.spans.first?.events.count == 128)
        #expect(self.recorder.spans.first?.links.count == 128)
    }

    @Test("a test can wait for a span")
    func waiting() async {
        let (recorder, tracer) = (self.recorder, self.tracer)
        async let awaited = recorder.first { $0.name == "later" }
        tracer.startSpan("sooner", context: .topLevel).end()
        tracer.startSpan("later", context: .topLevel).end()
        #expect(await awaited?.name == "later")
    }
}
