import Testing
import Tracing

@testable import Telemetry

@Suite("Sampler")
struct SamplerTests {
    private let recorded = SpanContext(isSampled: true)
    private let unrecorded = SpanContext(isSampled: false)

    @Test("the names are OpenTelemetry's", arguments: Sampler.names)
    func names(name: String) throws {
        let sampler = try #require(Sampler(named: name, argument: 0.5))
        #expect(sampler.followsCaller == name.hasPrefix("parentbased"))
        let trace = TraceID()
        #expect(sampler.samples(trace, caller: self.recorded) || !name.hasPrefix("parentbased"))
        #expect(!sampler.samples(trace, caller: self.unrecorded) || !name.hasPrefix("parentbased"))
        if name.hasSuffix("_on") { #expect(sampler.samples(trace, caller: nil)) }
        if name.hasSuffix("_off") { #expect(!sampler.samples(trace, caller: nil)) }
    }

    @Test("an unknown name is none")
    func unknown() { #expect(Sampler(named: "some", argument: 1) == nil) }

    @Test("a ratio is that share of the traces, the same ones for everybody")
    func ratio() throws {
        let tenth = try #require(Sampler(named: "parentbased_traceidratio", argument: 0.1))
        let half = try #require(Sampler(named: "traceidratio", argument: 0.5))
        let traces = (0..<20_000).map { _ in TraceID() }
        let few = traces.filter { tenth.samples($0, caller: nil) }
        #expect((1600...2400).contains(few.count), "nine standard deviations around 2,000")
        #expect(few.allSatisfy { half.samples($0, caller: nil) }, "who records less records none that others don't")
        #expect(traces.allSatisfy { Sampler.standard.samples($0, caller: nil) })
    }

    @Test("what isn't sampled isn't recorded, and those further on hear of it")
    func tracer() throws {
        let recorder = SpanRecorder()
        let tracer = ShopTracer(sinks: [recorder], sampler: try #require(Sampler(named: "always_off", argument: 1)))
        let span = tracer.startSpan("quiet", context: .topLevel)
        span.end()
        #expect(recorder.spans.isEmpty)
        #expect(try #require(span.context.spanContext).traceparent.hasSuffix("-00"))
    }
}
