import Telemetry
import Testing

@Suite("W3C Trace Context")
struct SpanContextTests {
    static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("reads and writes the specification's example")
    func roundTrip() throws {
        let context = try #require(SpanContext(traceparent: Self.example))
        #expect(context.traceID.description == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context.spanID.description == "00f067aa0ba902b7")
        #expect(context.isSampled)
        #expect(context.traceparent == Self.example)
    }

    @Test("keeps leading zeros and the decision not to sample")
    func zeros() throws {
        let text = "00-00000000000000000000000000000001-0000000000000001-00"
        let context = try #require(SpanContext(traceparent: text))
        #expect(!context.isSampled)
        #expect(context.traceparent == text)
    }

    @Test("reads a later version with more fields, and answers in version 00")
    func laterVersion() throws {
        let text = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-what-the-future-brings"
        #expect(try #require(SpanContext(traceparent: text)).traceparent == Self.example)
    }

    @Test(
        "refuses what the specification calls invalid",
        arguments: [
            "", "00", "garbage",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6+3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-é4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ])
    func invalid(traceparent: String) {
        #expect(SpanContext(traceparent: traceparent) == nil)
    }

    @Test("passes tracestate on, unless it is unusable")
    func tracestate() {
        let state = { SpanContext(traceparent: Self.example, tracestate: $0)?.tracestate }
        #expect(state("congo=t61rcWkgMzE") == "congo=t61rcWkgMzE")
        #expect(state(String(repeating: "a", count: 512)) != nil)
        #expect(state(String(repeating: "a", count: 513)) == nil)
        #expect(state("a=b\r\nX-Injected: 1") == nil)
        #expect(state("") == nil)
    }
}

@Suite("Correlation ids")
struct CorrelationIDTests {
    @Test("a new one is valid and differs from the next")
    func make() {
        #expect(CorrelationID.isValid(CorrelationID.make()))
        #expect(CorrelationID.make() != CorrelationID.make())
    }

    @Test("are 1 to 128 visible ASCII characters")
    func validity() {
        #expect(CorrelationID.isValid("x"))
        #expect(CorrelationID.isValid("!~" + String(repeating: "a", count: 126)))
        #expect(!CorrelationID.isValid(String(repeating: "a", count: 129)))
        for id in ["", " ", "a b", "a\n", "ü", "\u{7f}", "a\0"] { #expect(!CorrelationID.isValid(id)) }
    }
}
