import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Outbox
import Persistence
import ServiceKit
import TestSupport
import Testing

@testable import Order

@Suite("Quotes over HTTP", .timeLimit(.minutes(1))) struct QuoteRouteTests {
    static let valid = #"{"customerId":"ada","items":[{"sku":"MUG","quantity":2}],"paymentMethod":"pm_ok"}"#

    @Test("A quote adds up", arguments: ["", "?mode=parallel", "?mode=sequential"])
    func complete(query: String) async throws {
        try await withQuotes(QuoteDeskTests.Source()) { ask in
            let answer = try await ask("/quotes\(query)", Self.valid)
            #expect(answer.status == .ok)
            let quote = try JSONDecoder().decode(QuoteView.self, from: answer.body)
            #expect(quote.mode == (query.contains("sequential") ? "sequential" : "parallel"))
            #expect(quote.total.amountMinorUnits == 2900)
            #expect(quote.discount?.amount.amountMinorUnits == 145 && quote.fee?.amountMinorUnits == 44)
            #expect(quote.payable?.amountMinorUnits == 2799)
            #expect(quote.availability?.shipsOn == "2026-03-02" && quote.missing.isEmpty)
            #expect(!quote.correlationId.isEmpty)
        }
    }

    @Test("What is missing is said, with who didn't answer and why, and nothing is added up without it") func partial()
        async throws
    {
        var source = QuoteDeskTests.Source()
        source.answers[.discount] = .failed(.discount, .unreachable("Gone."))
        source.answers[.fee] = .failed(.fee, .refused("No such method."))
        try await withQuotes(source) { ask in
            let quote = try JSONDecoder().decode(QuoteView.self, from: try await ask("/quotes", Self.valid).body)
            #expect(quote.missing.map(\.part) == ["discount", "fee"])
            #expect(quote.missing.map(\.from) == ["loyalty", "payment"])
            #expect(quote.missing.map(\.reason) == ["unreachable", "refused"])
            #expect(quote.missing.map(\.detail) == ["Gone.", "No such method."])
            #expect(quote.payable == nil && quote.availability != nil)
        }
    }

    @Test("The deadline is the caller's") func deadline() async throws {
        let clock = ManualClock()
        let source = QuoteDeskTests.Source(answers: [:])
        try await withQuotes(source, clock) { ask in
            async let asking = ask(
                "/quotes", Self.valid.replacing("pm_ok\"", with: "pm_ok\",\"deadlineMilliseconds\":10"))
            await source.asked.first(3)
            await clock.sleeps.first { $0 == .milliseconds(10) }
            clock.advance(by: .milliseconds(10))
            let quote = try JSONDecoder().decode(QuoteView.self, from: try await asking.body)
            #expect(quote.missing.map(\.reason) == ["no_answer_in_time", "no_answer_in_time", "no_answer_in_time"])
            #expect(quote.missing.first?.detail == "inventory didn't answer within 10 ms.")
            #expect(quote.elapsedMilliseconds == 10)
        }
    }

    @Test(
        "A wrong field is named",
        arguments: [
            (#""ada""#, #""""#, "customerId"), (#""ada""#, #""a b""#, "customerId"),
            (#""quantity":2"#, #""quantity":0"#, "items[0].quantity"), (#""sku":"MUG""#, #""sku":"X""#, "items[0].sku"),
            (#"{"sku":"MUG","quantity":2}"#, "", "items"), (#""pm_ok""#, #""""#, "paymentMethod"),
            (#""pm_ok""#, #""pm_ok","deadlineMilliseconds":9"#, "deadlineMilliseconds"),
            (#""pm_ok""#, #""pm_ok","deadlineMilliseconds":5001"#, "deadlineMilliseconds"),
        ])
    func wrongFields(old: String, new: String, field: String) async throws {
        try await withQuotes(.unused) { ask in
            let answer = try await ask("/quotes", Self.valid.replacing(old, with: new))
            #expect(answer.status == .unprocessableContent)
            #expect(try answer.field() == field)
        }
        try await withQuotes(.unused) { ask in
            let answer = try await ask("/quotes?mode=both", Self.valid)
            #expect(try answer.field() == "mode")
        }
    }
}

// MARK: - Fixture

private struct Answer: Sendable {
    let status: HTTPResponse.Status
    let body: Data

    func field() throws -> String? {
        struct Body: Decodable { let field: String? }
        return try JSONDecoder().decode(Body.self, from: body).field
    }
}

private func withQuotes(
    _ source: QuoteDeskTests.Source, _ clock: ManualClock = ManualClock(),
    _ body: @escaping @Sendable (_ ask: @Sendable (String, String) async throws -> Answer) async throws -> Void
) async throws {
    try await withTemporaryDatabase(Outbox.migrations + OrderStore.migrations) { database in
        let store = OrderStore(
            database: database, outbox: Outbox(service: "order"), changes: OrderChanges(), logger: .silent)
        let price = Money(amountMinorUnits: 1450, currency: "EUR")
        try await database.write { transaction in
            let mug = ProductChanged(sku: "MUG", name: "Mug", price: price, version: 1, catalogueSize: 1)
            try store.takeOver(mug, in: transaction)
        }
        let chassis = Chassis(
            configuration: try ServiceConfiguration(service: "order", defaultPort: 0, environment: [:]),
            logger: .silent)
        let router = chassis.router()
        let desk = QuoteDesk(broker: source, http: source, clock: clock)
        QuoteRoute(pricing: Pricing(store: store), desk: desk).add(to: router)
        try await Assembly(router: router).application().test(.router) { client in
            try await body { path, body in
                try await client.execute(uri: path, method: .post, body: ByteBuffer(string: body)) { response in
                    Answer(status: response.status, body: Data(response.body.readableBytesView))
                }
            }
        }
    }
}
