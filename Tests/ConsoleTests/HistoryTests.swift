import Foundation
import TestSupport
import Testing

@testable import Console

@Suite("The history of traces", .timeLimit(.minutes(1))) struct HistoryTests {
    private let noon = Date(timeIntervalSince1970: 1_800_000_000)

    private func withStore(
        _ limits: TraceStore.Limits = ConsoleFixture.limits, _ body: (TraceStore) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(TraceStore.migrations) { database in
            try await body(TraceStore(database: database, limits: limits))
        }
    }

    @Test("A batch that is sent again, as after a lost answer, is there once") func again() async throws {
        try await withStore { store in
            let spans = [SpanRecord.sample(1), .sample(2, parent: 1)]
            try await store.add(spans)
            try await store.add(spans + [.sample(3, parent: 1)])
            #expect(try await store.size().spans == 3)
            #expect(try await store.subject(of: SpanRecord.sample(1).traceID).spanCount == 3)
        }
    }

    @Test("A trace is found by its own id, its correlation id and its order's, whichever span had them")
    func subjects() async throws {
        try await withStore { store in
            try await store.add([.sample(1), .sample(2, attributes: ["shop.correlation_id": .string("c-1")])])
            try await store.add([.sample(3, trace: 2, attributes: ["shop.correlation_id": .string("c-1")])])
            #expect(try await store.subject(of: "c-1").traceIDs.count == 2)
            #expect(try await store.subject(of: "order-7").traceIDs.isEmpty)
            try await store.note(order: "order-7", correlation: "c-1")
            let subject = try await store.subject(of: "order-7")
            #expect(subject.traceIDs.count == 2 && subject.correlationID == "c-1" && subject.spanCount == 3)
            #expect(try await store.spans(of: subject.traceIDs).count == 3)
        }
    }

    @Test("Over the limit, traces go whole, the one that was silent for longest first") func bound() async throws {
        try await withStore(.init(spans: 100, bytes: 1_000_000, age: 3600)) { store in
            for trace in 1...30 {
                let spans = (1...5).map { SpanRecord.sample($0, trace: trace) }
                try await store.add(spans, now: noon.addingTimeInterval(Double(trace)))
            }
            let size = try await store.size()
            #expect((86...100).contains(size.spans) && size.spans == size.traces * 5)
            #expect(try await store.subject(of: SpanRecord.sample(1, trace: 1).traceID).traceIDs.isEmpty)
            #expect(try await store.subject(of: SpanRecord.sample(1, trace: 30).traceID).spanCount == 5)
        }
    }

    @Test("An old trace that is heard of again stays") func touched() async throws {
        try await withStore(.init(spans: 50, bytes: 1_000_000, age: 3600)) { store in
            for trace in 1...10 {
                let spans = (1...5).map { SpanRecord.sample($0, trace: trace) }
                try await store.add(spans, now: noon.addingTimeInterval(Double(trace)))
            }
            try await store.add([.sample(6, trace: 1)], now: noon.addingTimeInterval(11))
            #expect(try await store.subject(of: SpanRecord.sample(1, trace: 1).traceID).spanCount == 6)
            #expect(try await store.subject(of: SpanRecord.sample(1, trace: 2).traceID).spanCount == 0)
        }
    }

    @Test("Room and age are limits too") func roomAndAge() async throws {
        try await withStore(.init(spans: 1000, bytes: 20_000, age: 60)) { store in
            let long = ["text": JSONValue.string(String(repeating: "x", count: 1000))]
            for trace in 1...40 { try await store.add([.sample(1, trace: trace, attributes: long)], now: noon) }
            #expect(try await store.size().bytes <= 20_000)
            try await store.add([.sample(1, trace: 99)], now: noon.addingTimeInterval(61))
            #expect(try await store.size().traces == 1)
        }
    }
}
