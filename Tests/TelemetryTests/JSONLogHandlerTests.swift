import Foundation
import Logging
import Synchronization
import Testing
import Tracing

@testable import Telemetry

@Suite("JSON logs")
struct JSONLogHandlerTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[[UInt8]]>([])
        func append(_ line: [UInt8]) { self.lines.withLock { $0.append(line) } }
        var all: [[UInt8]] { self.lines.withLock { $0 } }

        func object() throws -> [String: Any] {
            let line = try #require(self.all.first)
            return try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        }
    }

    private let lines = Lines()
    private var logger: Logger {
        Logger(label: "test") { [lines] label in
            JSONLogHandler(service: "order", label: label, logLevel: .info, write: lines.append)
        }
    }

    @Test("a line has time, level, service, logger and message")
    func fields() throws {
        self.logger.warning("Something is up.")
        let object = try self.lines.object()
        #expect(object["level"] as? String == "warning")
        #expect(object["service"] as? String == "order")
        #expect(object["logger"] as? String == "test")
        #expect(object["message"] as? String == "Something is up.")
        let time = try #require(object["time"] as? String)
        let age = try Date(time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            .timeIntervalSinceNow
        #expect(abs(age) < 60)
    }

    @Test("is one line whatever it holds, and comes back as it was")
    func escaping() throws {
        let nasty = "\"quoted\" \\ back\nline\r\ttab \0 \u{1b}[31m \u{7f} é 🦆 \u{2028} </script>"
        self.logger.info("\(nasty)", metadata: ["key \"\n": .string(nasty)])
        let line = try #require(self.lines.all.first)
        #expect(self.lines.all.count == 1)
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7f })
        let object = try self.lines.object()
        #expect(object["message"] as? String == nasty)
        #expect(object["key \"\n"] as? String == nasty)
    }

    @Test("carries the ids of its context")
    func context() throws {
        var context = ServiceContext.topLevel
        context.correlationID = "c-1"
        context.spanContext = SpanContext(traceparent: SpanContextTests.example)
        ServiceContext.withValue(context) { self.logger.info("x") }
        let object = try self.lines.object()
        #expect(object["correlation_id"] as? String == "c-1")
        #expect(object["trace_id"] as? String == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(object["span_id"] as? String == "00f067aa0ba902b7")
    }

    @Test("an id given as metadata goes before the context's")
    func explicitID() throws {
        var context = ServiceContext.topLevel
        context.correlationID = "of the context"
        ServiceContext.withValue(context) { self.logger.info("x", metadata: ["correlation_id": "given"]) }
        #expect(try self.lines.object()["correlation_id"] as? String == "given")
    }

    @Test("without a context there are no ids")
    func withoutContext() throws {
        self.logger.info("x")
        #expect(try self.lines.object()["correlation_id"] == nil)
        #expect(try self.lines.object()["trace_id"] == nil)
    }

    @Test("metadata keeps its types and its nesting")
    func metadata() throws {
        var logger = self.logger
        logger[metadataKey: "of_logger"] = "a"
        logger.info(
            "x",
            metadata: [
                "int": .stringConvertible(5), "truth": .stringConvertible(true), "double": .stringConvertible(1.5),
                "infinite": .stringConvertible(Double.infinity),
                "nested": ["list": ["a", .stringConvertible(2)]],
            ])
        let object = try self.lines.object()
        #expect(object["of_logger"] as? String == "a")
        #expect(object["int"] as? Int == 5)
        #expect(object["truth"] as? Bool == true)
        #expect(object["double"] as? Double == 1.5)
        #expect(object["infinite"] as? String == "inf")
        let nested = try #require(object["nested"] as? [String: [Any]])
        #expect(nested["list"]?.first as? String == "a")
        #expect(nested["list"]?.last as? Int == 2)
    }

    @Test("metadata can't take a field's place")
    func reserved() throws {
        self.logger.info("x", metadata: ["message": "other", "service": "other"])
        let object = try self.lines.object()
        #expect(object["message"] as? String == "x")
        #expect(object["service"] as? String == "order")
        #expect(object["message_"] as? String == "other")
    }

    @Test("has the level it was given")
    func level() {
        self.logger.debug("x")
        #expect(self.lines.all.isEmpty)
    }
}

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "are what Foundation writes",
        arguments: [
            0, -1, 951_782_400, 951_868_799.875, 1_709_164_800.5, 4_107_542_400, -2_208_988_800.25,
            253_402_300_799.5,
        ])
    func sameAsFoundation(seconds: Double) {
        let date = Date(timeIntervalSince1970: seconds)
        #expect(date.rfc3339 == date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    }

    @Test("of every day in four centuries")
    func everyDay() throws {
        let calendar = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for day in stride(from: -36_525, to: 109_573, by: 1) {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            let text = date.formatted(calendar)
            if date.rfc3339 != text { Issue.record("\(date.rfc3339) should be \(text).") }
        }
    }
}
