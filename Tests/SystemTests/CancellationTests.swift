import Contracts
import Foundation
import Testing

extension SystemTests {
    /// A customer who changes their mind, at every stage.
    @Suite("Cancellation", .stack, .logs, .timeLimit(.minutes(2))) struct CancellationTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        @Test("Before the stock is held: nothing is held or charged") func placed() async throws {
            let before = try await shop.product("BOOK-DDIA")
            try await stack.kill(.inventory)
            let order = try await placeOrder(by: "quick")
            #expect(try await shop.cancel(order).status == 202)
            stack.start(.inventory)
            try await stack.waitUntilReady(.inventory)
            try await shop.expect(order, leaves: .cancelled(.customerRequest, after: ["placed"], ledger: []))
            try await expectNothingSold(before)
        }

        @Test("While the payment is on its way: the money goes back when it comes") func reserved() async throws {
            let before = try await shop.product("BOOK-DDIA")
            let order = try await placeOrder(by: "undecided", paying: .slow)
            _ = try await shop.follow(order, until: ["reserved"])
            let answer = try await shop.cancel(order)
            #expect(answer.status == 202)
            #expect(try answer.decode(OrderState.self).status == "cancelled")
            var expected = Footprint.refunded
            expected.reason = .customerRequest
            try await shop.expect(order, leaves: expected)
            try await expectNothingSold(before)
        }

        @Test("After confirmation: money, stock and points go back, and the warehouse stops") func confirmed()
            async throws
        {
            let before = try await shop.product("BOOK-DDIA")
            let order = try await placeOrder(by: "regretful")
            _ = try await shop.follow(order, until: ["confirmed"])
            try await eventually("the points are there") { try await shop.balance(of: "regretful") == 45 }
            #expect(try await shop.moveShipment(of: order, to: "packed").status == 200)
            #expect(try await shop.cancel(order).status == 202)
            #expect(try await shop.cancel(order).status == 202, "asking twice is asking once")
            try await shop.expect(
                order,
                leaves: Footprint(
                    steps: ["placed", "reserved", "confirmed", "cancelled", "refunded"], reason: .customerRequest,
                    ledger: ["charge succeeded", "refund succeeded"],
                    mails: ["order_cancelled", "order_confirmed", "order_refunded"], points: [45, -45],
                    notifications: [
                        "order_cancelled", "order_confirmed", "order_placed", "order_refunded", "points_awarded",
                        "points_reversed", "shipment_packed",
                    ]))
            #expect(try await shop.balance(of: "regretful") == 0)
            #expect(try await shop.shipment(of: order).status == "stopped")
            #expect(try await shop.moveShipment(of: order, to: "shipped").status == 409)
            #expect(try await shop.notifications(to: "warehouse", about: order).last?.kind == "shipment_stopped")
            try await expectNothingSold(before)
        }

        @Test("Once it is shipped it is too late") func shipped() async throws {
            let order = try await placeOrder(by: "too-late")
            _ = try await shop.follow(order, until: ["confirmed"])
            _ = try await shop.shipment(of: order)
            for status in ["packed", "shipped"] {
                #expect(try await shop.moveShipment(of: order, to: status).status == 200)
            }
            _ = try await shop.follow(order, until: ["shipped"])
            let answer = try await shop.cancel(order)
            #expect(answer.status == 409)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(try await shop.order(order).status == "shipped")
            #expect(try await shop.cancel("no-such-order").status == 404)
        }

        @Test("It left while order didn't know: the wish is refused, and the order goes on")
        func raceWithWarehouse() async throws {
            let order = try await placeOrder(by: "unlucky")
            _ = try await shop.follow(order, until: ["confirmed"])
            _ = try await shop.shipment(of: order)
            // The wish is on disk before the broker is back; the warehouse is quicker.
            try await stack.kill(.broker)
            #expect(try await shop.cancel(order).status == 202)
            #expect(try await shop.order(order).isCancelling)
            for status in ["packed", "shipped"] {
                #expect(try await shop.moveShipment(of: order, to: status).status == 200)
            }
            stack.start(.broker)
            try await stack.waitUntilReady(.broker)
            let state = try await shop.follow(order, until: ["shipped"])
            #expect(!state.passed("cancelled"))
            try await eventually("the customer is told") {
                try await shop.notifications(of: "unlucky").contains { $0.kind == "cancellation_refused" }
            }
            #expect(try await !shop.order(order).isCancelling)
        }

        @Test("200 cancellations race with the stock and the money: every order has one outcome, and the books balance")
        func races() async throws {
            let customers = (0..<8).map { CustomerID(rawValue: "racer-\($0)") }
            let initial = try await shop.products()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, customer) in customers.enumerated() {
                    group.addTask { try await placeAndCancel(25, by: customer, startingWith: index) }
                }
                try await group.waitForAll()
            }
            let books = try await eventually("all is cancelled, and all money is back", within: .seconds(60)) {
                let books = try await Books.read(from: shop, customers: customers)
                return books.entries.allSatisfy { $0.order.status != "confirmed" && $0.isSettled(paidBy: .ok) }
                    ? books : nil
            }
            #expect(books.entries.count == 200)
            try await BrokerAPI(stack: stack).waitUntilQuiet(delayed: true)
            let settled = try await eventually("all mails are out", within: .seconds(60)) {
                let books = try await Books.read(from: shop, customers: customers)
                let outcomes: Set = ["confirmed", "cancelled", "refunded"]
                return books.entries.allSatisfy { entry in
                    entry.mails.count >= entry.order.history.count { outcomes.contains($0.status) }
                } ? books : nil
            }
            settled.audit(initial: initial)
            let stages = Dictionary(grouping: settled.entries) { entry in
                entry.order.history.last { $0.status != "cancelled" && $0.status != "refunded" }?.status ?? ""
            }
            // Otherwise it would have been no race.
            #expect(Set(stages.keys).isSuperset(of: ["placed", "confirmed"]), "\(stages.mapValues(\.count))")
        }

        /// Cancels one order as soon as it is accepted, one when its stock is held, one when it is confirmed, and so on.
        private func placeAndCancel(_ count: Int, by customer: CustomerID, startingWith offset: Int) async throws {
            let moments = [["placed"], ["reserved", "confirmed"], ["confirmed"]]
            for index in 0..<count {
                let order = try await placeOrder(by: customer)
                let moment = moments[(index + offset) % moments.count]
                if moment != ["placed"] { _ = try await shop.follow(order, until: Set(moment)) }
                #expect(try await shop.cancel(order).status == 202)
            }
        }

        private func placeOrder(by customer: CustomerID, paying method: PaymentMethod = .ok) async throws -> OrderID {
            try await shop.place(NewOrder(by: customer, "BOOK-DDIA", paying: method)).orderId
        }

        private func expectNothingSold(_ before: ProductState) async throws {
            #expect(try await shop.product(before.sku) == before)
        }
    }
}
