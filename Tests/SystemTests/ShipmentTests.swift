import Contracts
import Testing

extension SystemTests {
    /// The goods on their way, and everyone who hears of it.
    @Suite("Shipments", .stack, .logs, .timeLimit(.minutes(2))) struct ShipmentTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        @Test("Packed, shipped, delivered: order follows, and each stakeholder is told in words of their own")
        func delivered() async throws {
            let order = try await shop.place(NewOrder(by: "receiver", "BOOK-EIP", paying: .ok)).orderId
            _ = try await shop.follow(order, until: ["confirmed"])
            #expect(try await shop.shipment(of: order).status == "preparing")
            for status in ["packed", "shipped", "delivered"] {
                #expect(try await shop.moveShipment(of: order, to: status).status == 200)
            }
            let state = try await shop.follow(order, until: ["delivered"])
            #expect(state.history.map(\.status) == ["placed", "reserved", "confirmed", "shipped", "delivered"])

            let expected: [(String, [String])] = [
                ("warehouse", ["shipment_preparing", "shipment_shipped"]),
                ("carrier", ["shipment_packed", "shipment_shipped", "shipment_delivered"]),
            ]
            for (channel, kinds) in expected {
                try await eventually("the \(channel) is told") {
                    try await shop.notifications(to: channel, about: order).map(\.kind) == kinds
                }
            }
            try await eventually("the customer is told, in the order in which it happened") {
                try await shop.notifications(of: "receiver").map(\.kind).filter { $0 != "points_awarded" } == [
                    "order_placed", "order_confirmed", "shipment_packed", "shipment_shipped", "shipment_delivered",
                ]
            }
        }

        @Test("A step that isn't the next one, a word that is none and an order without shipment are refused")
        func refused() async throws {
            let order = try await shop.place(NewOrder(by: "hasty", "BOOK-EIP", paying: .ok)).orderId
            _ = try await shop.follow(order, until: ["confirmed"])
            _ = try await shop.shipment(of: order)
            let tooEarly = try await shop.moveShipment(of: order, to: "delivered")
            #expect(tooEarly.status == 409)
            #expect(tooEarly.headers["content-type"] == "application/problem+json")
            #expect(try await shop.moveShipment(of: order, to: "lost").status == 422)
            #expect(try await shop.moveShipment(of: "no-such-order", to: "packed").status == 404)
            #expect(try await shop.shipment(of: order).status == "preparing")
        }
    }
}
