import Contracts
import Foundation
import Testing

@Suite("Ids, money and topology") struct ValueTests {
    @Test("A UUIDv7 has version, variant and time in their places") func uuidForm() {
        let id = UUIDv7.make(at: Date(timeIntervalSince1970: 1_645_557_742))
        // RFC 9562, appendix A.6: 2022-02-22T19:22:22Z is 017F22E2-79B0.
        #expect(id.hasPrefix("017f22e2-79b0-7"))
        #expect(UUID(uuidString: id) != nil)
        #expect(id == id.lowercased())
        let variant = id[id.index(id.startIndex, offsetBy: 19)]
        #expect("89ab".contains(variant))
    }

    @Test("UUIDv7s sort by the time at which they were made") func uuidOrder() {
        let start = Date(timeIntervalSince1970: 1_772_366_400)
        let ids = (0..<500).map { UUIDv7.make(at: start.addingTimeInterval(Double($0) / 1000 + 0.0005)) }
        #expect(ids == ids.sorted())
        #expect(Set((0..<1000).map { _ in UUIDv7.make(at: start) }).count == 1000)
    }

    @Test(
        "Money in whole units and for people",
        arguments: [
            (1999, "EUR", 19, "19.99 EUR"), (1905, "EUR", 19, "19.05 EUR"), (99, "EUR", 0, "0.99 EUR"),
            (0, "EUR", 0, "0.00 EUR"), (-1999, "EUR", -19, "-19.99 EUR"), (-5, "EUR", 0, "-0.05 EUR"),
            (1999, "JPY", 1999, "1999 JPY"), (12_345, "KWD", 12, "12.345 KWD"), (12_005, "KWD", 12, "12.005 KWD"),
            (.min, "EUR", -92_233_720_368_547_758, "-92233720368547758.08 EUR"),
        ] as [(Int64, String, Int64, String)])
    func money(amount: Int64, currency: String, wholeUnits: Int64, text: String) {
        let money = Money(amountMinorUnits: amount, currency: currency)
        #expect(money.wholeUnits == wholeUnits)
        #expect(money.description == text)
    }

    @Test("Every subscription joins a topic and a queue that are made") func subscriptionsAreMade() {
        let topology = Topology.shop
        for subscription in topology.subscriptions {
            #expect(topology.topics.contains(subscription.topic))
            #expect(topology.queues.contains(subscription.queue))
            #expect(!subscription.types.isEmpty)
        }
        #expect(Set(topology.topics).count == topology.topics.count)
        #expect(Set(topology.queues).count == topology.queues.count)
    }

    @Test("No queue gets a type twice, and a type comes from one topic") func typesAreUnique() {
        let subscriptions = Topology.shop.subscriptions
        for queue in Topology.shop.queues {
            let types = subscriptions.filter { $0.queue == queue }.flatMap(\.types)
            #expect(Set(types).count == types.count, "\(queue)")
        }
        for type in Set(subscriptions.flatMap(\.types)) {
            #expect(Set(subscriptions.filter { $0.types.contains(type) }.map(\.topic)).count == 1, "\(type)")
        }
    }

    @Test("Each queue's dead letters have a name of their own") func deadLetters() {
        let queues = Topology.shop.queues
        #expect(Set(queues + queues.map(\.deadLetters)).count == 2 * queues.count)
        #expect(Queue.order.deadLetters == "order-dlq")
    }
}
