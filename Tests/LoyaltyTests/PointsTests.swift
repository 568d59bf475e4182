import Contracts
import Outbox
import TestSupport
import Testing

@testable import Loyalty

@Suite("Points") struct PointsTests {
    @Test("One point for each whole unit of currency, once for each order") func award() async throws {
        try await withTemporaryDatabase(Outbox.migrations + LoyaltyStore.migrations) { database in
            var harness = HandlerHarness(service: "loyalty", database: database)
            let store = LoyaltyStore(database: database)
            Handlers(store: store).register(on: &harness.handlers)

            #expect(try await harness.deliver(confirmed("order-1", 1999), id: "event-1") == [PointsAwarded.type])
            #expect(try await harness.deliver(confirmed("order-1", 1999), id: "event-1") == [])
            #expect(try await harness.deliver(confirmed("order-1", 1999), id: "event-2") == [])
            #expect(try await harness.deliver(confirmed("order-2", 99)) == [PointsAwarded.type])

            let account = try await store.account(of: "ada", after: nil, limit: 10)
            #expect(account.points == 19)
            #expect(account.entries.map(\.points) == [19, 0])
            #expect(try await store.account(of: "bob", after: nil, limit: 10).points == 0)
            #expect(
                try await store.account(of: "ada", after: "order-1", limit: 10).entries.map(\.orderID) == ["order-2"])
        }
    }

    @Test("The points of a cancelled order are taken back, once, and never given after that") func reversed()
        async throws
    {
        try await withTemporaryDatabase(Outbox.migrations + LoyaltyStore.migrations) { database in
            var harness = HandlerHarness(service: "loyalty", database: database)
            let store = LoyaltyStore(database: database)
            Handlers(store: store).register(on: &harness.handlers)

            _ = try await harness.deliver(confirmed("order-1", 1999))
            #expect(try await harness.deliver(cancelled("order-1")) == [PointsReversed.type])
            #expect(try await harness.deliver(cancelled("order-1")) == [])
            #expect(try await harness.deliver(cancelled("order-2")) == [])
            #expect(try await harness.deliver(confirmed("order-2", 1999)) == [])

            let account = try await store.account(of: "ada", after: nil, limit: 10)
            #expect(account.points == 0)
            #expect(account.entries.flatMap { PointsView.Entry.list($0) }.map(\.points) == [19, -19])
        }
    }

    private func cancelled(_ order: OrderID) -> OrderCancelled {
        OrderCancelled(
            orderId: order, customer: .ada, total: Money(amountMinorUnits: 1999, currency: "EUR"),
            reason: .customerRequest)
    }

    private func confirmed(_ order: OrderID, _ cents: Int64) -> OrderConfirmed {
        OrderConfirmed(
            orderId: order, customer: .ada, items: [], total: Money(amountMinorUnits: cents, currency: "EUR"))
    }
}
