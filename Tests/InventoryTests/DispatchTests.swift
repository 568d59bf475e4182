import Contracts
import Foundation
import Testing

@testable import Inventory

@Suite("When goods leave") struct DispatchTests {
    @Test(
        "What is there leaves on the same working day before two o'clock, else on the next one",
        arguments: [
            // A Monday, a Friday, a Saturday, a Sunday.
            ("2026-03-02T00:00:00Z", "2026-03-02"), ("2026-03-02T13:59:59Z", "2026-03-02"),
            ("2026-03-02T14:00:00Z", "2026-03-03"), ("2026-03-06T13:00:00Z", "2026-03-06"),
            ("2026-03-06T15:00:00Z", "2026-03-09"), ("2026-03-07T09:00:00Z", "2026-03-09"),
            ("2026-03-08T23:59:59Z", "2026-03-09"), ("2024-02-28T20:00:00Z", "2024-02-29"),
        ])
    func inStock(asked: String, day: String) throws {
        let time = try #require(RFC3339.date(from: asked))
        #expect(Dispatch.day(isInStock: true, askedAt: time).rawValue == day)
    }

    @Test("What isn't there takes ten working days more") func restocked() throws {
        let monday = try #require(RFC3339.date(from: "2026-03-02T09:00:00Z"))
        #expect(Dispatch.day(isInStock: false, askedAt: monday).rawValue == "2026-03-16")
        let saturday = try #require(RFC3339.date(from: "2026-03-07T09:00:00Z"))
        #expect(Dispatch.day(isInStock: false, askedAt: saturday).rawValue == "2026-03-23")
    }
}
