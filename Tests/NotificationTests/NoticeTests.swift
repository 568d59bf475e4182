import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing

@testable import Notification

@Suite("A customer's notifications") struct NoticeTests {
    private let total = Money(amountMinorUnits: 1998, currency: "EUR")

    @Test("Each event adds one line, in words for the customer") func words() async throws {
        try await withTemporaryDatabase(NotificationFixture.migrations) { database in
            var harness = HandlerHarness(service: "notification", database: database)
            let store = NotificationStore(database: database)
            Handlers(store: store, webhooks: .over(database), patience: .seconds(60), logger: .silent)
                .register(on: &harness.handlers)
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
        try await withTemporaryDatabase(NotificationFixture.migrations) { database in
            var harness = HandlerHarness(service: "notification", database: database)
            let store = NotificationStore(database: database)
            Handlers(store: store, webhooks: .over(database), patience: .seconds(60), logger: .silent)
                .register(on: &harness.handlers)
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

    @Test("A line that comes too early waits, with a delayed message for the case that it waits in vain")
    func heldBack()
        async throws
    {
        try await withTemporaryDatabase(NotificationFixture.migrations) { database in
            var harness = HandlerHarness(service: "notification", database: database)
            let store = NotificationStore(database: database)
            Handlers(store: store, webhooks: .over(database), patience: .seconds(60), logger: .silent)
                .register(on: &harness.handlers)
            func kinds() async throws -> [Notice.Kind] {
                try await store.entries(of: .customer("ada"), after: 0, limit: 10).map(\.notice.kind)
            }
            let points = PointsAwarded(customerId: "ada", orderId: "order-1", points: 19, balance: 40)
            #expect(try await harness.deliver(points, id: "1") == [TellAnyway.type])
            #expect(try await harness.deliver(points, id: "1") == [])
            #expect(try await store.position(of: "1", in: .customer("ada")) == nil, "nobody has seen it")
            #expect(try await harness.deliver(OrderPlaced.sample()) == [])
            #expect(try await kinds() == [.orderPlaced])
            let anyway = TellAnyway(orderId: "order-1", kind: "points_awarded")
            #expect(try await harness.deliver(anyway) == [])
            #expect(try await harness.deliver(anyway) == [])
            #expect(try await kinds() == [.orderPlaced, .pointsAwarded])
            _ = try await harness.deliver(OrderConfirmed(orderId: "order-1", customer: .ada, items: [], total: total))
            #expect(try await kinds() == [.orderPlaced, .pointsAwarded, .orderConfirmed])
            let positions = try await store.entries(of: .customer("ada"), after: 0, limit: 10).map(\.position)
            #expect(positions == [1, 2, 3])
            await #expect(throws: Unprocessable.self) {
                _ = try await harness.deliver(TellAnyway(orderId: "order-1", kind: "unheard_of"))
            }
        }
    }

    @Test("Lists of an older version go on in the order of time that they had") func migration() async throws {
        try await withTemporaryDatabaseURL { url in
            let old = try await Databases.open(url: url, migrations: Array(NotificationStore.migrations.prefix(2)))
            for (id, customer, time) in [("c", "ada", 30), ("a", "ada", 20), ("x", "bob", 10), ("b", "ada", 20)] {
                try await old.execute(
                    """
                    INSERT INTO notifications (id, customer_id, order_id, kind, text, at_ms)
                    VALUES (\(id), \(customer), 'order-1', 'order_placed', '', \(time))
                    """)
            }
            try await old.close()
            let database = try await Databases.open(url: url, migrations: NotificationStore.migrations)
            let store = NotificationStore(database: database)
            #expect(try await store.entries(of: .customer("ada"), after: 1, limit: 10).map(\.notice.id) == ["b", "c"])
            let notice = Notice(
                id: "d", recipient: .customer("ada"), orderID: "order-2", kind: .orderPlaced, text: "",
                at: Date(timeIntervalSince1970: 0))
            try await database.write { _ = try store.add([notice], as: .init(.orderPlaced), in: $0) }
            #expect(try await store.position(of: "d", in: .customer("ada")) == 4)
            try await database.close()
        }
    }
}
