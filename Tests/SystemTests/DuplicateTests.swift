import Contracts
import Foundation
import Testing
import Webhooks

extension SystemTests {
    /// What comes twice has one effect.
    @Suite("Twice is once", .stack, .logs, .timeLimit(.minutes(2))) struct DuplicateTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        @Test("The same Idempotency-Key and body get the same answer and make one order") func sameKey() async throws {
            let order = NewOrder(by: "twice", "MUG-ENAMEL", paying: .ok)
            let key = UUID().uuidString
            let first = try await shop.post(order, key: key)
            let second = try await shop.post(order, key: key)
            #expect(first.status == 202)
            #expect(second.status == 202)
            #expect(first.body == second.body)
            #expect(first.headers["location"] == second.headers["location"])
            let accepted: AcceptedOrder = try first.decode()
            try await shop.expect(accepted.orderId, leaves: .confirmed(points: 14))
            let third = try await shop.post(order, key: key)
            #expect(third.body == first.body)
            #expect(try await shop.orders(of: "twice").count == 1)
        }

        @Test("Many requests with one key at the same time make one order") func sameKeyAtOnce() async throws {
            let order = NewOrder(by: "impatient", "MUG-ENAMEL", paying: .ok)
            let key = UUID().uuidString
            let ids = try await withThrowingTaskGroup(of: OrderID.self) { group in
                for _ in 1...20 { group.addTask { try await shop.place(order, key: key).orderId } }
                return try await group.reduce(into: Set<OrderID>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(try await shop.orders(of: "impatient").count == 1)
        }

        @Test("The same Idempotency-Key with another body is refused") func otherBody() async throws {
            let key = UUID().uuidString
            _ = try await shop.place(NewOrder(by: "other", "MUG-ENAMEL", 1, paying: .ok), key: key)
            let answer = try await shop.post(NewOrder(by: "other", "MUG-ENAMEL", 2, paying: .ok), key: key)
            #expect(answer.status == 422)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(try await shop.orders(of: "other").count == 1)
        }

        @Test("A webhook that is delivered again is answered like the first time and changes nothing")
        func webhook() async throws {
            let order = try await shop.place(NewOrder(by: "webhook", "MUG-ENAMEL", paying: .silent))
            _ = try await shop.follow(order.orderId, until: ["reserved"])
            let webhook = try SignedWebhook(
                PaymentWebhook(
                    type: .succeeded, timestamp: Date(),
                    data: .init(orderId: order.orderId, chargeId: .make(), amount: order.total)),
                secret: stack.webhookSecret)
            for _ in 1...3 { #expect(try await webhook.send(to: shop).status == 204) }
            let confirmed = try await shop.follow(order.orderId, until: ["confirmed"])
            #expect(confirmed.history.map(\.status) == ["placed", "reserved", "confirmed"])
            var footprint = Footprint.confirmed(points: 14)
            footprint.ledger = ["charge pending"]
            try await shop.expect(order.orderId, leaves: footprint)
        }

        @Test("Events that are published again are recognised by each of their consumers") func events() async throws {
            let broker = BrokerAPI(stack: stack)
            let spy = try await broker.spy(on: [
                Topology.Subscription(.orderEvents, to: "system-tests", [OrderPlaced.self, OrderConfirmed.self]),
                Topology.Subscription(
                    .inventoryEvents, to: "system-tests", [StockReserved.self, ShipmentStatusChanged.self]),
                Topology.Subscription(.loyaltyEvents, to: "system-tests", [PointsAwarded.self]),
            ])
            let before = try await shop.product("KEYBOARD-TKL")
            let order = try await shop.place(NewOrder(by: "echo", "KEYBOARD-TKL", 2, paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 239))

            let life: Set = [
                OrderPlaced.type, StockReserved.type, OrderConfirmed.type, PointsAwarded.type,
                ShipmentStatusChanged.type,
            ]
            var events: [(attributes: EventAttributes, body: String)] = []
            try await eventually("all events of the order's life have been published") {
                for message in try await broker.drain(spy) {
                    let event: EventAttributes = try ContractJSON.decode(from: message.body)
                    if event.subject == order.orderId.rawValue { events.append((event, message.body)) }
                }
                return life.isSubset(of: events.map(\.attributes.type))
            }
            #expect(events.count == life.count)
            for event in events {
                let topic = try #require(Self.topic(of: event.attributes.type))
                for _ in 1...2 {
                    try await broker.send(event.body, type: event.attributes.type, to: .topic(topic))
                }
            }

            for event in events.map(\.attributes) {
                for queue in Topology.shop.subscriptions.filter({ $0.types.contains(event.type) }).map(\.queue) {
                    let consumer = try #require(Program(rawValue: queue.rawValue))
                    try await eventually("\(consumer) has skipped \(event.type) twice") {
                        stack.logLines(of: consumer).filter {
                            $0.contains("skipped a duplicate") && $0.contains(event.id)
                        }.count == 2
                    }
                }
            }
            try await shop.expect(order.orderId, leaves: .confirmed(points: 239))
            let after = try await shop.product("KEYBOARD-TKL")
            #expect(after.sold == before.sold + 2)
            #expect(after.onHand == before.onHand - 2)
        }

        @Test("A command that is sent again charges once") func command() async throws {
            let order = try await shop.place(NewOrder(by: "charged", "MUG-ENAMEL", paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
            let command = CloudEvent(
                attributes: EventAttributes(
                    id: UUIDv7.make(), source: "/services/order", type: ChargePayment.type,
                    subject: order.orderId.rawValue, time: Date(), correlationid: "again"),
                data: ChargePayment(
                    orderId: order.orderId, customerId: "charged", amount: order.total, paymentMethod: .ok))
            let body = try ContractJSON.encode(command)
            for _ in 1...2 {
                try await BrokerAPI(stack: stack).send(body, type: ChargePayment.type, to: .queue(.payment))
            }
            try await eventually("payment has seen the command twice") {
                stack.logLines(of: .payment).filter { $0.contains(command.id) }.count == 2
            }
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
        }

        private static func topic(of type: String) -> Topic? {
            Topology.shop.subscriptions.first { $0.types.contains(type) }?.topic
        }
    }
}
