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

@Suite("Shipments") struct ShipmentTests {
    @Test("A confirmed order gets one, which moves step by step and tells of each") func moves() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(placed("order-1", ["MUG": 2]))
            #expect(try await harness.deliver(confirmed("order-1")) == [ShipmentStatusChanged.type])
            #expect(try await store.shipment(of: "order-1")?.status == .preparing)
            for status in [Shipment.Status.packed, .packed, .shipped, .delivered] {
                #expect(try await move("order-1", to: status, store)?.status == status)
            }
            #expect(try await harness.takeSent().count == 3, "saying it again isn't news")
            await #expect(throws: Shipment.TransitionRefused(from: .delivered, to: .packed)) {
                try await move("order-1", to: .packed, store)
            }
            #expect(try await move("order-2", to: .packed, store) == nil)
        }
    }

    @Test("Stopped before it leaves: its goods can be sold again, once") func stopped() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(placed("order-1", ["MUG": 2]))
            _ = try await harness.deliver(confirmed("order-1"))
            _ = try await move("order-1", to: .packed, store)
            _ = try await harness.takeSent()
            #expect(try await harness.deliver(stop) == [ShipmentStopped.type, ShipmentStatusChanged.type])
            #expect(try await harness.deliver(stop) == [ShipmentStopped.type])
            #expect(try await harness.deliver(cancelled("order-1")) == [])
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 5, reserved: 0, sold: 0))
            await #expect(throws: Shipment.TransitionRefused(from: .stopped, to: .shipped)) {
                try await move("order-1", to: .shipped, store)
            }
        }
    }

    @Test("A stop that overtakes the confirmation: nothing is ever sold") func stoppedEarly() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(placed("order-1", ["MUG": 2]))
            #expect(try await harness.deliver(stop) == [ShipmentStopped.type])
            #expect(try await harness.deliver(confirmed("order-1")) == [])
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 5, reserved: 0, sold: 0))
            #expect(try await store.shipment(of: "order-1")?.status == .stopped)
        }
    }

    @Test("What has left can't be stopped") func tooLate() async throws {
        try await withInventory { harness, store in
            _ = try await harness.deliver(placed("order-1", ["MUG": 2]))
            _ = try await harness.deliver(confirmed("order-1"))
            for status in [Shipment.Status.packed, .shipped] { _ = try await move("order-1", to: status, store) }
            _ = try await harness.takeSent()
            #expect(try await harness.deliver(stop) == [ShipmentNotStopped.type])
            #expect(try await store.product("MUG")?.stock == Stock(onHand: 3, reserved: 0, sold: 2))
        }
    }

    private let stop = StopShipment(orderId: "order-1", customerId: "ada")

    private func move(_ order: OrderID, to status: Shipment.Status, _ store: InventoryStore) async throws -> Shipment? {
        try await store.moveShipment(of: order, to: status, context: MessageContext(correlationID: "c"))
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
