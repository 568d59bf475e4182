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

    @Test("The time between sending and handling is told as waiting") func wait() {
        let shown = timeline([
            .sample(1, kind: .producer, from: 0, to: 4), .sample(2, parent: 1, kind: .consumer, from: 10, to: 12),
            .sample(3, parent: 1, kind: .internal, from: 10, to: 12),
        ])
        #expect(shown.spans.map(\.waitMicroseconds) == [nil, 6000, nil])
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
