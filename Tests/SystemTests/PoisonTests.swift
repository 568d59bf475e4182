import Contracts
import Foundation
import Messaging
import Testing

extension SystemTests {
    /// Messages that nobody can handle.
    @Suite("Poison messages", .stack, .logs, .timeLimit(.minutes(2))) struct PoisonTests {
        struct Poison: CustomTestStringConvertible, Sendable {
            let testDescription: String
            let body: String
            let type: String
            let reason: String
        }

        static let poisons = [
            Poison(
                testDescription: "not JSON", body: "Dear shop, I'd like a mug.", type: "",
                reason: "The message isn't a CloudEvent in JSON."),
            Poison(
                testDescription: "not a CloudEvent", body: #"{"hello":"world"}"#, type: StockReserved.type,
                reason: "The message isn't a CloudEvent: "),
            Poison(
                testDescription: "unknown type", body: event(type: "shop.unheard.of.v1", data: "{}"),
                type: "shop.unheard.of.v1", reason: "The type 'shop.unheard.of.v1' is unknown to "),
        ]

        @Test("A poison message ends among the dead letters with its reason and blocks nothing", arguments: poisons)
        func poison(_ poison: Poison) async throws {
            let stack = try currentStack()
            let broker = BrokerAPI(stack: stack)
            for queue in Topology.shop.queues {
                try await broker.send(poison.body, type: poison.type, to: .queue(queue))
            }
            // Behind it in each queue.
            let shop = ShopAPI(stack: stack)
            let order = try await shop.place(NewOrder(by: "behind", "MUG-ENAMEL", paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
            for queue in Topology.shop.queues {
                let letters = try await eventually("there is a dead letter of \(queue)") {
                    let letters = try await broker.drain(queue.deadLetters)
                    return letters.isEmpty ? nil : letters
                }
                #expect(letters.map(\.body) == [poison.body])
                let reason = letters.first?.attributes["reason"] ?? ""
                #expect(reason.hasPrefix(poison.reason), "\(queue): \(reason)")
            }
        }

        @Test("Data that isn't what its type says names the field at fault") func wrongData() async throws {
            let stack = try currentStack()
            let broker = BrokerAPI(stack: stack)
            let body = Self.event(type: StockReserved.type, data: #"{"orderNumber":7}"#)
            try await broker.send(body, type: StockReserved.type, to: .topic(.inventoryEvents))
            let letters = try await eventually("there is a dead letter") {
                let letters = try await broker.drain(Queue.order.deadLetters)
                return letters.isEmpty ? nil : letters
            }
            #expect(letters.count == 1)
            #expect(letters.first?.attributes["reason"]?.contains("'data.orderId' is missing") == true)
            #expect(letters.first?.attributes["type"] == StockReserved.type)
        }

        private static func event(type: String, data: String) -> String {
            """
            {"specversion":"1.0","id":"\(UUIDv7.make())","source":"/elsewhere","type":"\(type)","subject":"s",\
            "time":"2026-03-01T12:00:00.000Z","correlationid":"poison","data":\(data)}
            """
        }
    }
}
