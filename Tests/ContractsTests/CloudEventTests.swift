import Contracts
import Foundation
import TestSupport
import Testing

@Suite("Messages on the wire") struct CloudEventTests {
    @Test("Each payload is encoded to its golden file and decoded from it", arguments: GoldenFile.all)
    func golden(file: GoldenFile) throws { try file.check() }

    @Test("Every golden file has its payload and every subscribed type its golden file") func completeness() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: GoldenFile.folder.path)
        #expect(Set(files) == Set(GoldenFile.all.map { "\($0.name).json" }))
        let subscribed = Set(Topology.shop.subscriptions.flatMap(\.types))
        #expect(subscribed.isSubset(of: Set(GoldenFile.all.map(\.name))))
    }

    @Test("What isn't there isn't written") func absentAttributes() throws {
        let json = try CloudEvent.sample(StockReserved(orderId: "order-1")).json()
        for name in ["causationid", "traceparent", "tracestate", "expirytime", "replyto", "null"] {
            #expect(!json.contains(name))
        }
    }

    @Test("Fields that aren't known yet are ignored, in the envelope and in the data") func unknownFields() throws {
        let json = """
            {"specversion":"1.0","id":"1","source":"/services/order","type":"shop.stock.reserved.v1","subject":"o",
             "time":"2026-03-01T12:00:00Z","correlationid":"c","comexampleother":7,
             "data":{"orderId":"o","warehouse":{"city":"Berlin"}}}
            """
        let event = try ContractJSON.decode(CloudEvent<StockReserved>.self, from: json)
        #expect(event.data == StockReserved(orderId: "o"))
        #expect(event.attributes.correlationid == "c")
        #expect(event.attributes.partitionkey == nil)
    }

    @Test("A reason that this version doesn't know is passed on") func openSet() throws {
        let reason = try ContractJSON.decode([CancellationReason].self, from: #"["customer_request"]"#)
        #expect(try ContractJSON.encode(reason) == #"["customer_request"]"#)
    }

    @Test("The same value is always the same text") func stableText() throws {
        let event = CloudEvent.sample(OrderPlaced.sample(), id: "1")
        #expect(try event.json() == event.json())
        #expect(try event.json().contains("/services/test"))
    }

    @Test(
        "Times are rounded to the millisecond",
        arguments: [
            (0.0, "1970-01-01T00:00:00.000Z"), (1_772_366_400.1234, "2026-03-01T12:00:00.123Z"),
            (1_772_366_400.1239, "2026-03-01T12:00:00.124Z"), (1_772_366_400.9996, "2026-03-01T12:00:01.000Z"),
            (1_772_366_400.29, "2026-03-01T12:00:00.290Z"),
        ])
    func rounding(seconds: Double, text: String) {
        #expect(RFC3339.string(from: Date(timeIntervalSince1970: seconds)) == text)
    }

    @Test("Every millisecond survives the way to text and back") func roundTrip() throws {
        for millisecond in 0..<1000 {
            let date = Date(timeIntervalSince1970: 1_772_366_400 + Double(millisecond) / 1000)
            let back = try #require(RFC3339.date(from: RFC3339.string(from: date)))
            #expect(Int((back.timeIntervalSince1970 * 1000).rounded()) == 1_772_366_400_000 + millisecond)
        }
    }

    @Test(
        "Times are read with any offset, with decimals or without",
        arguments: ["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z", "2026-03-01T13:00:00+01:00"])
    func reading(text: String) { #expect(RFC3339.date(from: text)?.timeIntervalSince1970 == 1_772_366_400) }

    @Test("What isn't a time isn't decoded", arguments: ["yesterday", "2026-03-01", ""]) func noTime(text: String) {
        #expect(RFC3339.date(from: text) == nil)
        #expect(throws: DecodingError.self) { try ContractJSON.decode([Date].self, from: "[\"\(text)\"]") }
    }
}
