import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
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
            self.sink.yield((try? OTLPExporterTests.spans(in: body).compactMap { $0.text(5) }) ?? [])
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

    private static func spans(in body: [UInt8]) throws -> [ProtobufMessage] {
        try ProtobufMessage(body).messages(1, 2, 2)
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

    @Test("is the message that OTLP specifies")
    func shape() throws {
        let recorder = SpanRecorder()
        let tracer = ShopTracer(sinks: [recorder])
        var context = ServiceContext.topLevel
        context.correlationID = "c-1"
        context.spanContext = SpanContext(traceparent: SpanContextTests.example, tracestate: "a=b")
        let span = tracer.startSpan("POST /orders", context: context, ofKind: .server)
        span.updateAttributes { attributes in
            attributes["int"] = 9_007_199_254_740_993
            attributes["negative"] = -1
            attributes["double"] = 0.5
            attributes["nan"] = Double.nan
            attributes["truth"] = true
            attributes["long"] = Self.long
            attributes["strings"] = ["a", "\"b\""]
            attributes["ints"] = [Int64(1), 2]
        }
        span.addEvent(SpanEvent(name: "saved", attributes: ["rows": 2]))
        span.addLink(SpanLink(context: context, attributes: ["why": "batch"]))
        span.setStatus(SpanStatus(code: .error, message: "no"))
        span.end()

        let finished = try #require(recorder.spans.first)
        let body = OTLPEncoding(resource: [("service.name", "order")]).request([finished])
        let resource = try Self.attributes(try #require(try ProtobufMessage(body).messages(1, 1).first), field: 1)
        #expect(resource["service.name"]?.text(1) == "order")

        let message = try #require(try Self.spans(in: body).first)
        #expect(message.hex(1) == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(message.hex(2) == finished.spanContext.spanID.description)
        #expect(message.text(3) == "a=b")
        #expect(message.hex(4) == "00f067aa0ba902b7")
        #expect(message.text(5) == "POST /orders")
        #expect(message.number(6) == 2)
        #expect(message.number(7) == finished.startNanoseconds)
        #expect(message.number(8) == finished.endNanoseconds)
        let status = try #require(try message.messages(15).first)
        #expect(status.number(3) == 2 && status.text(2) == "no")

        let attributes = try Self.attributes(message, field: 9)
        #expect(attributes["shop.correlation_id"]?.text(1) == "c-1")
        #expect(attributes["int"]?.number(3) == 9_007_199_254_740_993)
        #expect(attributes["negative"]?.number(3) == UInt64(bitPattern: -1))
        #expect(attributes["double"]?.number(4) == (0.5).bitPattern)
        #expect(attributes["nan"]?.number(4).map(Double.init(bitPattern:))?.isNaN == true)
        #expect(attributes["truth"]?.number(2) == 1)
        #expect(attributes["long"]?.text(1) == Self.long)
        #expect(try attributes["strings"]?.messages(5, 1).map { $0.text(1) } == ["a", "\"b\""])
        #expect(try attributes["ints"]?.messages(5, 1).map { $0.number(3) } == [1, 2])

        let event = try #require(try message.messages(11).first)
        #expect(event.text(2) == "saved")
        #expect(event.number(1) == finished.events.first?.nanosecondsSinceEpoch)
        #expect(try Self.attributes(event, field: 3)["rows"]?.number(3) == 2)
        let link = try #require(try message.messages(13).first)
        #expect(link.hex(1) == "4bf92f3577b34da6a3ce929d0e0e4736" && link.hex(2) == "00f067aa0ba902b7")
        #expect(try Self.attributes(link, field: 4)["why"]?.text(1) == "batch")
    }

    /// So long that its length takes three bytes.
    private static let long = String(repeating: "x", count: 20_000)

    private static func attributes(_ message: ProtobufMessage, field: Int) throws -> [String: ProtobufMessage] {
        Dictionary(
            uniqueKeysWithValues: try message.messages(field).map { pair in
                (try #require(pair.text(1)), try #require(try pair.messages(2).first))
            })
    }
}
