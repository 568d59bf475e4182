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
            Handlers(store: store, patience: .seconds(60), logger: .silent).register(on: &harness.handlers)
            func list(_ recipient: Recipient, after position: Int64 = 0) async throws -> [Notice] {
                try await store.entries(of: recipient, after: position, limit: 10).map(\.notice)
            }

            _ = try await harness.deliver(OrderPlaced.sample(), id: "1")
            _ = try await harness.deliver(OrderPlaced.sample(), id: "1")
            _ = try await harness.deliver(
                OrderCancelled(orderId: "order-1", customer: .ada, total: total, reason: "lost_at_sea"), id: "2")
            _ = try await harness.deliver(OrderRefunded(orderId: "order-1", customer: .ada, total: total), id: "3")
            _ = try await harness.deliver(OrderPlaced.sample(orderId: "order-2"), id: "4")

            let told = try await list(.customer("ada"))
            #expect(
                told.map(\.text) == [
                    "We have your order for 19.98 EUR and are checking the stock.",
                    "Your order for 19.98 EUR was cancelled: lost at sea.",
                    "We have returned 19.98 EUR to you.",
                    "We have your order for 19.98 EUR and are checking the stock.",
                ])
            #expect(told.map(\.kind) == [.orderPlaced, .orderCancelled, .orderRefunded, .orderPlaced])
            let second = try #require(try await store.position(of: "2", in: .customer("ada")))
            #expect(try await list(.customer("ada"), after: second).map(\.id) == ["3", "4"])
            #expect(try await list(.customer("bob")) == [])
            #expect(try await store.position(of: "no-such", in: .customer("ada")) == nil)
            #expect(try await store.position(of: "2", in: .customer("bob")) == nil, "somebody else's line")
        }
    }

    @Test("Each step of a shipment is told to those whom it concerns, in words of their own") func shipments()
        async throws
    {
        try await withTemporaryDatabase(Outbox.migrations + NotificationStore.migrations) { database in
            var harness = HandlerHarness(service: "notification", database: database)
            let store = NotificationStore(database: database)
            Handlers(store: store, patience: .seconds(60), logger: .silent).register(on: &harness.handlers)
            _ = try await harness.deliver(OrderPlaced.sample())
            _ = try await harness.deliver(
                OrderConfirmed(orderId: "order-1", customer: .ada, items: [], total: total))
            for status in [ShipmentStatus.preparing, .packed, .shipped] {
                _ = try await harness.deliver(
                    ShipmentStatusChanged(orderId: "order-1", customerId: "ada", status: status), id: "\(status)")
            }
            func last(_ recipient: Recipient) async throws -> Notice? {
                try await store.entries(of: recipient, after: 0, limit: 10).last?.notice
            }
            #expect(try await last(.customer("ada"))?.text == "Your order is on its way.")
            #expect(try await last(.warehouse)?.text == "The order order-1 has left.")
            #expect(try await last(.carrier)?.id == "shipped-carrier")
        }
    }
}
