import Contracts
import Outbox
import TestSupport
import Testing

@testable import Notification

@Suite("A customer's notifications") struct NoticeTests {
    private let total = Money(amountMinorUnits: 1998, currency: "EUR")

    @Test("Each event adds one line, in words for the customer") func words() async throws {
        try await withTemporaryDatabase(Outbox.migrations + NotificationStore.migrations) { database in
            var harness = HandlerHarness(service: "notification", database: database)
            let store = NotificationStore(database: database)
            Handlers(store: store).register(on: &harness.handlers)

            _ = try await harness.deliver(OrderPlaced.sample(), id: "1")
            _ = try await harness.deliver(OrderPlaced.sample(), id: "1")
            _ = try await harness.deliver(
                OrderCancelled(orderId: "order-1", customer: .ada, total: total, reason: "lost_at_sea"), id: "2")
            _ = try await harness.deliver(OrderRefunded(orderId: "order-1", customer: .ada, total: total), id: "3")
            _ = try await harness.deliver(
                PointsAwarded(customerId: "ada", orderId: "order-2", points: 19, balance: 40), id: "4")

            let list = try #require(try await store.notifications(of: .customer("ada"), after: nil, limit: 10))
            #expect(
                list.map(\.text) == [
                    "We have your order for 19.98 EUR and are checking the stock.",
                    "Your order for 19.98 EUR was cancelled: lost at sea.",
                    "We have returned 19.98 EUR to you.", "You got 19 points and now have 40.",
                ])
            #expect(list.map(\.kind) == [.orderPlaced, .orderCancelled, .orderRefunded, .pointsAwarded])
            #expect(try await store.notifications(of: .customer("ada"), after: "2", limit: 1)?.map(\.id) == ["3"])

            _ = try await harness.deliver(
                ShipmentStatusChanged(orderId: "order-2", customerId: "ada", status: .shipped), id: "5")
            func last(_ recipient: Recipient) async throws -> Notice? {
                try await store.notifications(of: recipient, after: nil, limit: 10)?.last
            }
            #expect(try await last(.customer("ada"))?.text == "Your order is on its way.")
            #expect(try await last(.warehouse)?.text == "The order order-2 has left.")
            #expect(try await last(.carrier)?.id == "5-carrier")
            #expect(try await store.notifications(of: .customer("bob"), after: nil, limit: 10) == [])
            #expect(try await store.notifications(of: .customer("ada"), after: "no-such", limit: 10) == nil)
        }
    }
}
