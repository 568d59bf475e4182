import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing
import Tracing

@testable import Telemetry

@Suite("OTLP")
struct OTLPExporterTests {
    /// A receiver that answers as it is told and tells what it got.
    private final class Receiver: Sendable {
        private let answers: Mutex<[OTLPExporter.Answer]>
        private let sink: AsyncStream<[String]>.Continuation
        let batches: AsyncStream<[String]>

        /// - Parameter answers: the first answers; after them everything is accepted.
        init(_ answers: [OTLPExporter.Answer] = []) {
            self.answers = Mutex(answers)
            (self.batches, self.sink) = AsyncStream.makeStream()
        }

        @Sendable func send(_ body: [UInt8]) async -> OTLPExporter.Answer {
            self.sink.yield((try? OTLPExporterTests.spans(in: body).compactMap { $0["name"] as? String }) ?? [])
            return self.answers.withLock { $0.isEmpty ? .accepted : $0.removeFirst() }
        }
    }

    private let metrics = PrometheusRegistry()

    /// - Parameter flush: how long shutdown may take; no test waits so long unless its receiver hangs.
    private func exporter(
        capacity: Int = 100, flush: Duration = .seconds(60), send: @escaping OTLPExporter.Send
    ) -> OTLPExporter {
        let timing = OTLPExporter.Timing(
            linger: .milliseconds(1), flush: flush, firstPause: .milliseconds(1),
            longestPause: .milliseconds(2))
        return OTLPExporter(
            endpoint: "http://receiver", service: "order", metrics: self.metrics, logger: Logger(label: "test"),
            capacity: capacity, timing: timing, send: send, close: {})
    }

    /// Runs the exporter in a group, as a service does; ends with a graceful shutdown.
    private func run(_ exporter: OTLPExporter, _ body: () async throws -> Void) async throws {
        let group = ServiceGroup(configuration: .init(services: [exporter], logger: Logger(label: "test")))
        async let running: Void = group.run()
        try await body()
        await group.triggerGracefulShutdown()
        try await running
    }

    private static func spans(in body: [UInt8]) throws -> [[String: Any]] {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let resource = try #require((object["resourceSpans"] as? [[String: Any]])?.first)
        let scope = try #require((resource["scopeSpans"] as? [[String: Any]])?.first)
        return try #require(scope["spans"] as? [[String: Any]])
    }

    @Test("sends what has ended")
    func sends() async throws {
        let receiver = Receiver()
        let exporter = self.exporter(send: receiver.send)
        let tracer = ShopTracer(sinks: [exporter])
        try await self.run(exporter) {
            tracer.startSpan("one", context: .topLevel).end()
            #expect(await receiver.batches.first { _ in true } == ["one"])
        }
        #expect(self.metrics.text().contains("otlp_spans_exported_total 1\n"))
    }

    @Test("tries again while the receiver is away, and loses nothing")
    func retries() async throws {
        let receiver = Receiver([.unavailable("away"), .unavailable("away")])
        let exporter = self.exporter(send: receiver.send)
        try await self.run(exporter) {
            ShopTracer(sinks: [exporter]).startSpan("one", context: .topLevel).end()
            var batches = receiver.batches.makeAsyncIterator()
            for _ in 1...3 { #expect(await batches.next() == ["one"]) }
        }
        #expect(self.metrics.text().contains("otlp_spans_exported_total 1\n"))
    }

    @Test("gives up a batch that is refused, and counts it")
    func rejected() async throws {
        let receiver = Receiver([.rejected("status 400")])
        let exporter = self.exporter(send: receiver.send)
        try await self.run(exporter) {
            let tracer = ShopTracer(sinks: [exporter])
            var batches = receiver.batches.makeAsyncIterator()
            tracer.startSpan("bad", context: .topLevel).end()
            #expect(await batches.next() == ["bad"])
            tracer.startSpan("good", context: .topLevel).end()
            #expect(await batches.next() == ["good"])
        }
        #expect(self.metrics.text().contains("otlp_spans_dropped_total{reason=\"rejected\"} 1\n"))
    }

    @Test("drops and counts what finds no room, and never waits")
    func overflow() {
        let exporter = self.exporter(capacity: 3, send: Receiver().send)
        let tracer = ShopTracer(sinks: [exporter])
        for _ in 0..<10 { tracer.startSpan("x", context: .topLevel).end() }
        #expect(self.metrics.text().contains("otlp_spans_dropped_total{reason=\"buffer_full\"} 7\n"))
    }

    @Test("sends what is left at shutdown")
    func flushes() async throws {
        let receiver = Receiver()
        let exporter = self.exporter(capacity: 2000, send: receiver.send)
        let tracer = ShopTracer(sinks: [exporter])
        for _ in 0..<1200 { tracer.startSpan("x", context: .topLevel).end() }
        try await self.run(exporter) {}
        #expect(self.metrics.text().contains("otlp_spans_exported_total 1200\n"))
    }

    @Test("shutdown doesn't wait for a receiver that hangs")
    func hangingReceiver() async throws {
        let (hanging, _) = AsyncStream<Never>.makeStream()
        let exporter = self.exporter(flush: .milliseconds(50)) { _ in
            for await _ in hanging {}
            return .unavailable("cancelled")
        }
        ShopTracer(sinks: [exporter]).startSpan("x", context: .topLevel).end()
        try await self.run(exporter) {}
        #expect(self.metrics.text().contains("otlp_spans_dropped_total{reason=\"receiver_away_at_shutdown\"} 1\n"))
    }

    @Test("is the JSON that OTLP specifies")
    func shape() throws {
        let recorder = SpanRecorder()
        let tracer = ShopTracer(sinks: [recorder])
        var context = ServiceContext.topLevel
        context.correlationID = "c-1"
        context.spanContext = SpanContext(traceparent: SpanContextTests.example, tracestate: "a=b")
        let span = tracer.startSpan("POST /orders", context: context, ofKind: .server)
        span.updateAttributes { attributes in
            attributes["int"] = 9_007_199_254_740_993
            attributes["double"] = 0.5
            attributes["nan"] = Double.nan
            attributes["truth"] = true
            attributes["strings"] = ["a", "\"b\""]
            attributes["ints"] = [1, 2]
        }
        span.addEvent(SpanEvent(name: "saved", attributes: ["rows": 2]))
        span.addLink(SpanLink(context: context, attributes: ["why": "batch"]))
        span.setStatus(SpanStatus(code: .error, message: "no"))
        span.end()

        let finished = try #require(recorder.spans.first)
        let body = OTLPEncoding(resource: [("service.name", "order")]).request([finished])
        let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        let resource = (json["resourceSpans"] as? [[String: Any]])?.first?["resource"] as? [String: Any]
        let service = (resource?["attributes"] as? [[String: Any]])?.first
        #expect(service?["key"] as? String == "service.name")
        #expect((service?["value"] as? [String: Any])?["stringValue"] as? String == "order")

        let object = try #require(try Self.spans(in: body).first)
        #expect(object["traceId"] as? String == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(object["spanId"] as? String == finished.spanContext.spanID.description)
        #expect(object["parentSpanId"] as? String == "00f067aa0ba902b7")
        #expect(object["traceState"] as? String == "a=b")
        #expect(object["kind"] as? Int == 2)
        #expect(object["startTimeUnixNano"] as? String == String(finished.startNanoseconds))
        #expect(object["endTimeUnixNano"] as? String == String(finished.endNanoseconds))
        #expect((object["status"] as? [String: Any])?["code"] as? Int == 2)

        let attributes = Dictionary(
            uniqueKeysWithValues: try #require(object["attributes"] as? [[String: Any]]).map {
                (try #require($0["key"] as? String), try #require($0["value"] as? [String: Any]))
            })
        #expect(attributes["shop.correlation_id"]?["stringValue"] as? String == "c-1")
        #expect(attributes["int"]?["intValue"] as? String == "9007199254740993")
        #expect(attributes["double"]?["doubleValue"] as? Double == 0.5)
        #expect(attributes["nan"]?["doubleValue"] as? String == "NaN")
        #expect(attributes["truth"]?["boolValue"] as? Bool == true)
        let strings = (attributes["strings"]?["arrayValue"] as? [String: [[String: String]]])?["values"]
        #expect(strings == [["stringValue": "a"], ["stringValue": "\"b\""]])

        let event = try #require((object["events"] as? [[String: Any]])?.first)
        #expect(event["name"] as? String == "saved")
        #expect(event["timeUnixNano"] is String)
        let link = try #require((object["links"] as? [[String: Any]])?.first)
        #expect(link["spanId"] as? String == "00f067aa0ba902b7")
    }
}
