import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Telemetry
import TestSupport
import Testing
import Tracing

@testable import Console

@Suite("OTLP/HTTP", .timeLimit(.minutes(1))) struct ReceiverTests {
    @Test("The shop's own exporter is understood: ids, parents, times, attributes, events, status")
    func ownExporter() async throws {
        try await ConsoleFixture.run { console in
            let exporter = OTLPExporter(
                endpoint: console.url, service: "order", metrics: PrometheusRegistry(), logger: .silent)
            let tracer = ShopTracer(sinks: [exporter])
            var context = ServiceContext.topLevel
            context.correlationID = "c-1"
            struct Broken: Error {}
            try await withRunning(exporter) { _ in
                let outer = tracer.startSpan("POST /orders", context: context, ofKind: .server)
                outer.attributes["http.response.status_code"] = 202
                let inner = tracer.startSpan("send order-events", context: outer.context, ofKind: .producer)
                inner.recordError(Broken())
                inner.end()
                outer.end()
            }
            let subject = try await console.store.subject(of: "c-1")
            #expect(subject.spanCount == 2)
            let spans = try await console.store.spans(of: subject.traceIDs)
            let (outer, inner) = (try #require(spans.first), try #require(spans.last))
            #expect(outer.name == "POST /orders" && outer.kind == .server && outer.service == "order")
            #expect(outer.attributes["http.response.status_code"]?.integer == 202)
            #expect(inner.parentSpanID == outer.spanID && inner.kind == .producer && inner.status == .error)
            #expect(inner.events.map(\.name) == ["exception"])
            #expect(inner.startNanoseconds >= outer.startNanoseconds && inner.endNanoseconds <= outer.endNanoseconds)
            #expect(outer.startNanoseconds > 1_700_000_000_000_000_000)
        }
    }

    @Test("OpenTelemetry's own SDK and messages are understood, in Protocol Buffers and in JSON, plain and packed")
    func others() async throws {
        try await ConsoleFixture.run { console in
            let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "otlp_export.py")
            let export = try await Python.run([script.path, console.url])
            let ids = export.output.split(separator: "\n").map(String.init)
            try #require(export.isSuccess && ids.count == 3, "\(export.output)")
            let sdk = try await console.store.spans(of: [ids[0]])
            let outer = try #require(sdk.first { $0.name == "outer" })
            let inner = try #require(sdk.first { $0.name == "inner" })
            #expect(outer.service == "python" && outer.kind == .server && outer.parentSpanID == nil)
            #expect(outer.attributes["text"] == .string("Größe ✓"))
            #expect(outer.attributes["truth"] == .bool(true))
            #expect(outer.attributes["whole"] == .integer(-7))
            #expect(outer.attributes["broken"] == .double(0.5))
            #expect(outer.attributes["list"] == .array([.string("a"), .string("b")]))
            #expect(inner.parentSpanID == outer.spanID && inner.status == .error && inner.statusMessage == "it broke")
            #expect(inner.events.first?.attributes["reason"] == .string("<script>"))
            #expect(try await console.store.subject(of: "from-python").traceIDs == [ids[0]])
            let packed = try await console.store.spans(of: [ids[1]])
            #expect(try await console.store.subject(of: "packed-by-python").traceIDs == [ids[1]])
            #expect(Set(packed.map(\.name)) == ["outer", "inner"])
            #expect(packed.first { $0.name == "outer" }?.attributes["list"] == outer.attributes["list"])
            let json = try #require(try await console.store.spans(of: [ids[2]]).first)
            #expect(json.service == "json" && json.kind == .producer)
            #expect(json.startNanoseconds == 1_800_000_000_123_456_789)
            #expect(json.attributes["whole"] == .integer(9_007_199_254_740_993))
        }
    }

    @Test("What can't be read is refused with a sentence, and nothing is kept of it")
    func refusals() async throws {
        try await ConsoleFixture.run { (console: ConsoleFixture) async throws in
            func status(_ body: String, _ type: String, _ more: HTTPFields = [:]) async throws -> HTTPResponse.Status {
                var headers = more
                headers[.contentType] = type
                return try await console.client.execute(
                    uri: "/v1/traces", method: .post, headers: headers, body: ByteBuffer(string: body)
                ).status
            }
            #expect(try await status("{", "application/json") == .badRequest)
            #expect(try await status(#"{"resourceSpans":7}"#, "application/json") == .badRequest)
            #expect(try await status("\u{0A}\u{7F}x", "application/x-protobuf") == .badRequest)
            #expect(try await status("{}", "text/plain") == .unsupportedMediaType)
            #expect(try await status("{}", "application/json", [.contentEncoding: "br"]) == .unsupportedMediaType)
            #expect(try await status("{}", "application/json", [.contentEncoding: "gzip"]) == .badRequest)
            #expect(try await status("{}", "application/json", [.contentEncoding: "Identity"]) == .ok)
            #expect(try await status("{}", "application/json; charset=utf-8") == .ok)
            #expect(try await console.store.size() == .init(traces: 0, spans: 0, bytes: 0))
        }
    }
}

@Suite("OTLP in Protocol Buffers") struct OTLPProtobufTests {
    @Test("Attributes that hold each other without end are refused") func depth() {
        var value: [UInt8] = []
        for _ in 0..<40 { value = [0x2a] + length(2 + value.count) + [0x0a] + length(value.count) + value }
        func wrapped(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] { [tag] + length(bytes.count) + bytes }
        let attribute = wrapped(0x0a, [0x78]) + wrapped(0x12, value)
        let request = wrapped(0x0a, wrapped(0x12, wrapped(0x12, wrapped(0x4a, attribute))))
        #expect(throws: (any Error).self) { try OTLPProtobuf.spans(in: request) }
    }

    private func length(_ count: Int) -> [UInt8] {
        count < 128 ? [UInt8(count)] : [UInt8(count & 0x7f) | 0x80, UInt8(count >> 7)]
    }
}
