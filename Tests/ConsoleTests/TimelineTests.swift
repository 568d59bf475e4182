import Foundation
import Testing

@testable import Console

@Suite("Timelines") struct TimelineTests {
    private func timeline(_ spans: [SpanRecord]) -> Timeline {
        Timeline(
            spans,
            subject: .init(traceIDs: [], orderID: nil, correlationID: nil, spanCount: spans.count))
    }

    @Test("Spans stand as a tree, siblings by their start, whatever order they came in") func tree() {
        let shown = timeline([
            .sample(4, parent: 2, from: 6, to: 7), .sample(3, parent: 1, from: 9, to: 12),
            .sample(1, from: 0, to: 10), .sample(2, parent: 1, from: 2, to: 8),
        ])
        #expect(shown.spans.map { $0.spanId.suffix(1) } == ["1", "2", "4", "3"])
        #expect(shown.spans.map(\.depth) == [0, 1, 2, 1])
        #expect(shown.spans.map(\.startMicroseconds) == [0, 2000, 6000, 9000])
        #expect(shown.durationMicroseconds == 12_000)
        #expect(shown.spans.allSatisfy { $0.isOrphan == nil })
    }

    @Test("How long a message waited is what its service has measured, in outbox and queue") func wait() {
        let shown = timeline([
            .sample(1, kind: .producer, from: 0, to: 4, attributes: ["shop.outbox.waited_ms": .integer(7)]),
            .sample(
                2, parent: 1, kind: .consumer, from: 10, to: 12, attributes: ["shop.delivery.waited_ms": .integer(8)]),
            .sample(
                3, parent: 1, kind: .consumer, from: 10, to: 12, attributes: ["shop.delivery.waited_ms": .integer(0)]),
            .sample(4, parent: 1, kind: .consumer, from: 10, attributes: ["shop.delivery.waited_ms": .integer(.max)]),
            .sample(5, parent: 1, kind: .consumer, from: 10, attributes: ["shop.delivery.waited_ms": .integer(.min)]),
        ])
        #expect(shown.spans.map(\.waitMicroseconds) == [7000, 8000, nil, .max / 1000 * 1000, nil])
    }

    @Test("Times that nobody can have do no harm") func absurdTimes() throws {
        func span(_ id: Int, from start: Int64, to end: Int64) -> String {
            """
            {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b\(id)",\
            "startTimeUnixNano":"\(start)","endTimeUnixNano":"\(end)"}
            """
        }
        let spans = span(1, from: .min, to: .max) + "," + span(2, from: .max, to: .min)
        let body = #"{"resourceSpans":[{"scopeSpans":[{"spans":[\#(spans)]}]}]}"#
        let shown = timeline(try OTLPJSON.spans(in: Data(body.utf8)).spans)
        #expect(shown.spans.map(\.startMicroseconds) == [0, .max / 1000])
        #expect(shown.spans.map(\.durationMicroseconds) == [.max / 1000, 0])
    }

    @Test("Where nobody says so, a message waited from its sending to its handling") func guessedWait() {
        let shown = timeline([
            .sample(1, kind: .producer, from: 0, to: 4), .sample(2, parent: 1, kind: .consumer, from: 10, to: 12),
            .sample(3, parent: 1, kind: .internal, from: 10, to: 12),
            .sample(4, parent: 1, kind: .consumer, from: 3, to: 5),
        ])
        #expect(shown.spans.map(\.waitMicroseconds) == [nil, nil, 6000, nil])
    }

    @Test("A span whose parent is missing is a root, and says so; one that is its own parent doesn't loop")
    func orphans() {
        let shown = timeline([.sample(1, parent: 9, from: 0), .sample(2, parent: 2, from: 1)])
        #expect(shown.spans.map(\.isOrphan) == [true, true])
        #expect(shown.spans.map(\.depth) == [0, 0])
    }

    @Test("Failures, attempts and duplicates are marked") func marks() {
        var failed = SpanRecord.sample(1, attributes: ["shop.delivery.attempt": .integer(3)])
        failed.status = .error
        let duplicate = SpanRecord.sample(2, from: 1, attributes: ["shop.outcome": .string("duplicate")])
        var dead = SpanRecord.sample(3, from: 2)
        dead.events = [.init(name: "dead_lettered", nanoseconds: dead.startNanoseconds, attributes: [:])]
        let shown = timeline([failed, duplicate, dead, .sample(4, from: 3)])
        #expect(shown.spans.map(\.mark) == [.error, .duplicate, .deadLettered, nil])
        #expect(shown.spans.first?.attempt == 3)
    }

    @Test("Services stand in the order in which they came in; nothing at all is no timeline") func services() {
        let shown = timeline([
            .sample(1, service: "payment", from: 5), .sample(2, service: "order", from: 0),
            .sample(3, service: "payment", from: 7),
        ])
        #expect(shown.services == ["order", "payment"])
        #expect(timeline([]).spans.isEmpty && timeline([]).startedAt == nil)
    }
}
