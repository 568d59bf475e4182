import Contracts
import Messaging
import Testing

extension SystemTests {
    /// What three services say of one order, however it arrives.
    @Suite("The order of an order's life", .logs, .timeLimit(.minutes(2))) struct OrderingTests {
        /// The messages of a real order, from the queue of a notification that didn't run.
        private func messages(
            of customer: CustomerID, stack: Stack, _ live: (ShopAPI, OrderID) async throws -> Void
        ) async throws -> [InboundMessage] {
            let shop = ShopAPI(stack: stack)
            try await stack.stop(.notification)
            let order = try await shop.place(NewOrder(by: customer, "BOOK-EIP", paying: .ok)).orderId
            _ = try await shop.follow(order, until: ["confirmed"])
            _ = try await shop.shipment(of: order)
            try await eventually("the points are there") { try await shop.balance(of: customer) > 0 }
            try await live(shop, order)
            let broker = BrokerAPI(stack: stack)
            try await eventually("all outboxes are empty") {
                for service in Program.services where service != .notification {
                    guard try await shop.outboxDepth(of: service) == 0 else { return false }
                }
                return true
            }
            let messages = try await broker.drain(.notification)
            stack.start(.notification)
            try await stack.waitUntilReady(.notification)
            return messages
        }

        private func send(_ messages: [InboundMessage], stack: Stack) async throws {
            for message in messages {
                try await BrokerAPI(stack: stack).send(
                    message.body, type: message.attributes["type"] ?? "", to: .queue(.notification))
            }
        }

        @Test("A delivered order, the last event first and each of them twice", .stack) func delivered() async throws {
            let stack = try currentStack()
            let messages = try await messages(of: "backwards", stack: stack) { shop, order async throws in
                for status in ["packed", "shipped", "delivered"] {
                    #expect(try await shop.moveShipment(of: order, to: status).status == 200)
                }
            }
            #expect(messages.count == 7, "placed, confirmed, points, and four steps of the shipment")
            try await Feed.read(of: "backwards", stack: stack) { feed in
                for message in messages.reversed() { try await send([message, message], stack: stack) }
                let kinds = await feed.kinds(6)
                #expect(
                    kinds.filter { $0 != "points_awarded" } == [
                        "order_placed", "order_confirmed", "shipment_packed", "shipment_shipped", "shipment_delivered",
                    ])
                try await BrokerAPI(stack: stack).waitUntilQuiet()
                let list = try await ShopAPI(stack: stack).notifications(of: "backwards")
                #expect(feed.ids == list.map(\.id))
                #expect(feed.ids.count == 6, "nothing twice")
            }
        }

        @Test("An order that was cancelled once it was packed, the last event first", .stack) func cancelled()
            async throws
        {
            let stack = try currentStack()
            let messages = try await messages(of: "regretful", stack: stack) { shop, order async throws in
                #expect(try await shop.moveShipment(of: order, to: "packed").status == 200)
                #expect(try await shop.cancel(order).status == 202)
                _ = try await shop.follow(order, until: ["refunded"])
                try await eventually("the points are gone") { try await shop.balance(of: "regretful") == 0 }
            }
            try await Feed.read(of: "regretful", stack: stack) { feed in
                try await send(messages.reversed(), stack: stack)
                let kinds = await feed.kinds(7)
                let main = ["order_placed", "order_confirmed", "shipment_packed", "order_cancelled", "order_refunded"]
                #expect(kinds.filter { !$0.hasPrefix("points") } == main)
                let points = ["order_confirmed", "points_awarded", "points_reversed"]
                #expect(kinds.filter { points.contains($0) } == points)
                #expect(kinds.firstIndex(of: "points_reversed") ?? 0 > kinds.firstIndex(of: "order_cancelled") ?? .max)
                let carrier = try await ShopAPI(stack: stack).notifications(
                    to: "carrier",
                    about: try #require(try await ShopAPI(stack: stack).orders(of: "regretful").first).orderId)
                #expect(carrier.map(\.kind) == ["shipment_packed", "shipment_stopped"])
            }
        }

        @Test("What comes before a line is waited for, but not for ever", .stack(holdBackSeconds: 2)) func missing()
            async throws
        {
            let stack = try currentStack()
            let messages = try await messages(of: "gap", stack: stack) { shop, order async throws in
                #expect(try await shop.moveShipment(of: order, to: "packed").status == 200)
            }
            let confirmed = messages.filter { $0.attributes["type"] == OrderConfirmed.type }
            #expect(confirmed.count == 1)
            try await Feed.read(of: "gap", stack: stack) { feed in
                try await send(messages.filter { !confirmed.contains($0) }, stack: stack)
                #expect(await feed.kinds(1) == ["order_placed"])
                let kinds = await feed.kinds(3)
                #expect(Set(kinds) == ["order_placed", "points_awarded", "shipment_packed"])
                try await send(confirmed, stack: stack)
                #expect(await feed.kinds(4).last == "order_confirmed", "late, and not lost")
            }
            let lines = stack.logLines(of: .notification).filter { $0.contains("told without what comes before it") }
            #expect(!lines.isEmpty)
        }
    }
}
