import Contracts
import Messaging
import Outbox
import TestSupport
import Testing

@testable import Inventory

@Suite("Stock held for orders") struct ReservationTests {
    @Test("Held, then sold") func sold() async throws {
        try await withInventory { harness, store in
            #expect(try await harness.deliver(placed("order-1", ["MUG": 2, "PEN": 1])) == [StockReserved.type])
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 5, reserved: 2, sold: 0))
            _ = try await harness.deliver(confirmed("order-1"))
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 3, reserved: 0, sold: 2))
            #expect(try await store.product("PEN")?.stock == Stock(onHand: 0, reserved: 0, sold: 1))
        }
    }

    @Test("One line short: nothing is held") func allOrNothing() async throws {
        try await withInventory { harness, store in
            let answers = try await harness.deliver(placed("order-1", ["MUG": 2, "PEN": 2]))
            #expect(answers == [StockRejected.type])
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 5, reserved: 0, sold: 0))
        }
    }

    @Test("Cancelled: what was held can be ordered again, once") func released() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(placed("order-1", ["PEN": 1]))
            #expect(try await harness.deliver(placed("order-2", ["PEN": 1])) == [StockRejected.type])
            _ = try await harness.deliver(cancelled("order-1"))
            _ = try await harness.deliver(cancelled("order-1"))
            #expect(try await store.product("PEN")?.stock == Stock(onHand: 1, reserved: 0, sold: 0))
            #expect(try await harness.deliver(placed("order-3", ["PEN": 1])) == [StockReserved.type])
        }
    }

    @Test("A redelivered message holds nothing twice") func duplicate() async throws {
        try await withInventory { harness, store in
            let first = try await harness.deliver(placed("order-1", ["MUG": 2]), id: "event-1")
            let second = try await harness.deliver(placed("order-1", ["MUG": 2]), id: "event-1")
            #expect(first == [StockReserved.type])
            #expect(second == [])
            #expect(try await store.product("MUG")?.stock.reserved == 2)
        }
    }

    @Test("A cancellation that overtakes its order keeps the order from holding stock") func outOfOrder() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(cancelled("order-1"))
            #expect(try await harness.deliver(placed("order-1", ["MUG": 2])) == [])
            #expect(try await store.product("MUG")?.stock.reserved == 0)
        }
    }

    @Test("A confirmation for which nothing is held can't be handled") func confirmedWithoutStock() async throws {
        try await withInventory { harness, _ in
            await #expect(throws: Unprocessable.self) { try await harness.deliver(confirmed("order-1")) }
            _ = try await harness.deliver(cancelled("order-2"))
            await #expect(throws: Unprocessable.self) { try await harness.deliver(confirmed("order-2")) }
        }
    }

    @Test("Each start tells of all products, and adds no stock") func catalogue() async throws {
        try await withInventory { harness, store in
            try await store.publishCatalogue(seed: seed, context: MessageContext(correlationID: "c"))
            #expect(try await harness.takeSent() == [ProductChanged.type, ProductChanged.type])
            #expect(try await store.product("MUG")?.stock.onHand == 5)
        }
    }
}

private let seed = [
    SeedProduct(sku: "MUG", name: "Mug", priceMinorUnits: 1450, currency: "EUR", onHand: 5),
    SeedProduct(sku: "PEN", name: "Pen", priceMinorUnits: 3450, currency: "EUR", onHand: 1),
]
private let total = Money(amountMinorUnits: 1000, currency: "EUR")

private func placed(_ order: OrderID, _ quantities: [SKU: Int]) -> OrderPlaced {
    let lines = quantities.sorted { $0.key.rawValue < $1.key.rawValue }.map {
        OrderLine(sku: $0.key, quantity: $0.value, unitPrice: total)
    }
    return OrderPlaced(orderId: order, customer: .ada, items: lines, total: total)
}

private func confirmed(_ order: OrderID) -> OrderConfirmed {
    OrderConfirmed(orderId: order, customer: .ada, items: [], total: total)
}

private func cancelled(_ order: OrderID) -> OrderCancelled {
    OrderCancelled(orderId: order, customer: .ada, total: total, reason: .paymentDeclined)
}

private func withInventory(_ body: (HandlerHarness, InventoryStore) async throws -> Void) async throws {
    try await withTemporaryDatabase(Outbox.migrations + InventoryStore.migrations) { database in
        var harness = HandlerHarness(service: "inventory", database: database)
        let store = InventoryStore(database: database, outbox: harness.outbox)
        try await store.publishCatalogue(seed: seed, context: MessageContext(correlationID: "c"))
        _ = try await harness.takeSent()
        Handlers(store: store).register(on: &harness.handlers)
        try await body(harness, store)
    }
}
