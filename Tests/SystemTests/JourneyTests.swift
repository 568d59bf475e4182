import Contracts
import Foundation
import Testing

extension SystemTests {
    /// Each path that an order can take, and what it leaves behind in every service.
    @Suite("An order's journey", .stack, .logs, .timeLimit(.minutes(2))) struct JourneyTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        @Test("Everything is there: confirmed, paid, sold, mailed, rewarded, told") func happyPath() async throws {
            let before = try await shop.product("MUG-ENAMEL")
            let accepted = try await shop.place(NewOrder(by: "happy", "MUG-ENAMEL", 3, paying: .ok))
            #expect(accepted.status == "placed")
            #expect(accepted.total == Money(amountMinorUnits: 4350, currency: "EUR"))

            let order = try await shop.follow(accepted.orderId, until: ["confirmed"])
            #expect(order.correlationId == accepted.correlationId)
            #expect(order.history.map(\.at) == order.history.map(\.at).sorted())
            try await shop.expect(accepted.orderId, leaves: .confirmed(points: 43))

            try await expectStock(before, sold: 3)
            #expect(try await shop.balance(of: "happy") == 43)
            let charge = try #require(try await shop.charges(of: accepted.orderId).first)
            #expect(charge.status == "succeeded")
            #expect(charge.amountMinorUnits == 4350)
            try await expectMail(about: accepted.orderId, to: "happy@example.com")
        }

        @Test("A gateway that breaks down and reports twice takes the money once") func flaky() async throws {
            let before = try await shop.product("TEA-SENCHA-100G")
            let order = try await shop.place(NewOrder(by: "flaky", "TEA-SENCHA-100G", paying: .flaky))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 16))
            #expect(try await shop.charges(of: order.orderId).count == 1)
            try await expectStock(before, sold: 1)
        }

        @Test("What isn't in stock isn't sold, and nobody is charged") func outOfStock() async throws {
            let before = try await shop.product("LIMITED-PRINT-7")
            let order = try await shop.place(NewOrder(by: "late", "LIMITED-PRINT-7", before.onHand + 1, paying: .ok))
            try await shop.expect(
                order.orderId, leaves: .cancelled(.outOfStock, after: ["placed"], ledger: []))
            #expect(try await shop.charges(of: order.orderId).isEmpty)
            try await expectStock(before, sold: 0)
        }

        @Test("A declined payment cancels the order and releases its stock") func declined() async throws {
            let before = try await shop.product("BOOK-EIP")
            let order = try await shop.place(NewOrder(by: "declined", "BOOK-EIP", 2, paying: .declined))
            try await shop.expect(order.orderId, leaves: .cancelled(.paymentDeclined, ledger: ["charge failed"]))
            try await expectStock(before, sold: 0)
        }

        @Test("A payment that never comes cancels the order in time and releases its stock") func silent() async throws
        {
            let before = try await shop.product("DESK-LAMP-LED")
            let order = try await shop.place(NewOrder(by: "silent", "DESK-LAMP-LED", 2, paying: .silent))
            _ = try await shop.follow(order.orderId, until: ["reserved"])
            #expect(try await shop.product("DESK-LAMP-LED").reserved == 2)
            try await shop.expect(order.orderId, leaves: .cancelled(.paymentTimeout, ledger: ["charge pending"]))
            try await expectStock(before, sold: 0)
        }

        @Test("A payment that comes too late is returned") func slow() async throws {
            let before = try await shop.product("PEN-FOUNTAIN-M")
            let order = try await shop.place(NewOrder(by: "slow", "PEN-FOUNTAIN-M", 1, paying: .slow))
            _ = try await shop.follow(order.orderId, until: ["cancelled", "refunded"])
            try await shop.expect(order.orderId, leaves: .refunded)
            #expect(try await shop.charges(of: order.orderId).map(\.status) == ["refunded"])
            let ledger = try await shop.ledger(of: order.orderId)
            #expect(ledger.allSatisfy { $0.amount == order.total })
            try await expectStock(before, sold: 0)
        }

        @Test("A customer sees all orders and every point") func severalOrders() async throws {
            for quantity in 1...3 {
                let order = try await shop.place(
                    NewOrder(by: "regular", "COFFEE-FILTER-250G", quantity, paying: .ok))
                _ = try await shop.follow(order.orderId, until: ["confirmed"])
            }
            try await eventually("all points are there") { try await shop.balance(of: "regular") == 11 + 23 + 35 }
            let orders = try await shop.orders(of: "regular")
            #expect(orders.map { $0.items[0].quantity } == [3, 2, 1])
        }

        @Test("The correlation id of the request is in the logs of every service") func correlation() async throws {
            let id = "trace-me-\(UUID().uuidString)"
            let accepted = try await shop.place(NewOrder(by: "traced", "MUG-ENAMEL", paying: .ok), correlationID: id)
            #expect(accepted.correlationId == id)
            _ = try await shop.follow(accepted.orderId, until: ["confirmed"])
            try await shop.expect(accepted.orderId, leaves: .confirmed(points: 14))
            for service in Program.services {
                try await eventually("\(service) has logged \(id)", within: .seconds(5)) {
                    stack.logLines(of: service).contains { $0.contains(#""correlation_id":"\#(id)""#) }
                }
            }
        }

        @Test("An answer carries the correlation id of its request, or a new one") func correlationHeader() async throws
        {
            let given = try await shop.send(.get, .order, "/health/live", headers: ["X-Correlation-ID": "mine-1"])
            #expect(given.headers["x-correlation-id"] == "mine-1")
            let unusable = try await shop.send(.get, .order, "/health/live", headers: ["X-Correlation-ID": "not mine"])
            #expect(unusable.headers["x-correlation-id"]?.isEmpty == false)
            #expect(unusable.headers["x-correlation-id"] != "not mine")
        }

        /// Nothing is held any more, and what left the warehouse was sold.
        private func expectStock(
            _ before: ProductState, sold: Int, sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let after = try await shop.product(before.sku)
            #expect(after.onHand == before.onHand - sold, sourceLocation: sourceLocation)
            #expect(after.sold == before.sold + sold, sourceLocation: sourceLocation)
            #expect(after.reserved == 0, sourceLocation: sourceLocation)
        }

        /// The mail lies in the mailbox, once.
        private func expectMail(about order: OrderID, to address: String) async throws {
            let files = try FileManager.default.contentsOfDirectory(
                at: stack.maildir.appending(path: "new"), includingPropertiesForKeys: nil)
            let mails = try files.map { try String(contentsOf: $0, encoding: .utf8) }.filter {
                $0.contains(order.rawValue)
            }
            #expect(mails.count == 1)
            #expect(mails.first?.contains(address) == true)
        }
    }
}
