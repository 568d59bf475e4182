import AsyncHTTPClient
import Contracts
import Foundation
import TestSupport
import Testing

extension SystemTests {
    /// The console beside the whole shop.
    @Suite("The console", .stack(starting: Program.watched), .logs, .timeLimit(.minutes(5)))
    struct ConsoleTests {
        @Test("An order's timeline is found by its id, with every service, its states and its log lines")
        func timeline() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let order = try await shop.place(NewOrder(by: "seen", "MUG-ENAMEL", paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
            let console = ConsoleAPI(stack: stack)
            let services: Set = ["order", "inventory", "payment", "email", "loyalty", "notification"]
            let report = try await eventually("every service is in the timeline of \(order.orderId)") {
                let report = try await console.timeline(order.orderId.rawValue)
                return report.flatMap { services.isSubset(of: $0.timeline.services) ? $0 : nil }
            }
            #expect(report.order?.history.map(\.status) == ["placed", "reserved", "confirmed"])
            #expect(report.timeline.orderId == order.orderId.rawValue)
            #expect(report.timeline.spans.contains { $0.name == "POST /orders" && $0.depth == 0 })
            #expect(Set(report.logs.map(\.service)).isSuperset(of: services))
            let byCorrelation = try await console.timeline(report.timeline.correlationId ?? "")
            #expect(byCorrelation?.timeline.orderId == order.orderId.rawValue)
            #expect(try await console.search("seen").first == order.orderId.rawValue)
            #expect(try await console.search(order.orderId.rawValue) == [order.orderId.rawValue])
            #expect(try await console.timeline("nobody") == nil)
        }

        @Test("A dead letter is mended and sent back; sent back twice it has its effect once")
        func redrive() async throws {
            let stack = try currentStack()
            let (broker, console, shop) = (BrokerAPI(stack: stack), ConsoleAPI(stack: stack), ShopAPI(stack: stack))
            let price = Money(amountMinorUnits: 999, currency: "EUR")
            let confirmed = OrderConfirmed(
                orderId: "order-1", customer: Customer(id: "patient", email: "patient@example.com"),
                items: [OrderLine(sku: "NOTEBOOK", quantity: 2, unitPrice: price)],
                total: Money(amountMinorUnits: 1998, currency: "EUR"))
            let right = try CloudEvent.sample(confirmed, id: "redriven").json()
            let wrong = right.replacing("\"orderId\"", with: "\"order\"")
            try await broker.send(wrong, type: OrderConfirmed.type, to: .queue(.loyalty))
            let letter = try await eventually("the message is among the dead letters") {
                try await console.deadLetters("loyalty-dlq").first
            }
            #expect(letter.reason.contains("'data.orderId' is missing"))
            #expect(letter.eventId == "redriven")

            let other = right.replacing("redriven", with: "another")
            let refused = try await console.redrive("loyalty-dlq", letter.messageId, body: other)
            #expect(refused.status == 422)
            #expect(try await console.redrive("loyalty-dlq", letter.messageId, body: right).status == 200)
            try await eventually("the points are there") {
                try await !shop.points(of: confirmed.customer.id).isEmpty
            }
            #expect(try await console.deadLetters("loyalty-dlq").isEmpty)

            // As if the console had died after sending it and before removing it.
            try await broker.send(right, type: OrderConfirmed.type, to: .queue(Queue.loyalty.deadLetters))
            let again = try #require(try await console.deadLetters("loyalty-dlq").first)
            #expect(try await console.redrive("loyalty-dlq", again.messageId).status == 200)
            try await eventually("loyalty has skipped it") {
                stack.logLines(of: .loyalty).contains { $0.contains("skipped a duplicate") && $0.contains("redriven") }
            }
            #expect(try await shop.points(of: confirmed.customer.id).count == 1)
        }

        @Test("A group is sent back by its reason, the rest stays; purging empties a queue") func groups() async throws
        {
            let stack = try currentStack()
            let (broker, console) = (BrokerAPI(stack: stack), ConsoleAPI(stack: stack))
            for number in 1...12 { try await broker.send("Dear shop, \(number)", to: .queue(.email)) }
            try await broker.send(#"{"hello":"world"}"#, to: .queue(.email))
            let letters = try await eventually("all are among the dead letters") {
                let letters = try await console.deadLetters("email-dlq")
                return letters.count == 13 ? letters : nil
            }
            let reasons = Set(letters.map(\.reason))
            #expect(reasons.count == 2)
            let reason = "The message isn't a CloudEvent in JSON."
            let sent = try await console.send("email-dlq/redrive", ["reason": reason])
            #expect(try sent.decode([String: Int].self) == ["count": 12])
            // They can't be handled any better now, and come back.
            try await eventually("they are back") { try await console.deadLetters("email-dlq").count == 13 }
            let removed = try await console.send("email-dlq/purge", ["reason": reason])
            #expect(try removed.decode([String: Int].self) == ["count": 12])
            #expect(try await console.deadLetters("email-dlq").count == 1)
            let rest = try await stack.send(.console, "/api/dead-letters/email-dlq/purge", Data(#"{"all":true}"#.utf8))
            #expect(try rest.decode([String: Int].self) == ["count": 1])
            #expect(try await console.deadLetters("email-dlq").isEmpty)
            #expect(try await console.send("order/purge", ["reason": reason]).status == 404)
            #expect(try await console.send("email-dlq/purge", [:]).status == 422)
        }

        @Test("A stopped service is seen within 2 s, and one that is back too") func stopped() async throws {
            let stack = try currentStack()
            try await ConsoleAPI(stack: stack).watch { states in
                try await states.first { $0["loyalty"] == "ready" }
                try await stack.kill(.loyalty)
                let killed = ContinuousClock.now
                try await states.first { $0["loyalty"] == "down" }
                let time = ContinuousClock.now - killed
                #expect(time < .seconds(2), "it took \(time)")
                stack.start(.loyalty)
                try await states.first { $0["loyalty"] == "ready" }
            }
        }

        @Test("Without the console orders settle as ever") func without() async throws {
            let stack = try currentStack()
            try await stack.kill(.console)
            let shop = ShopAPI(stack: stack)
            let order = try await shop.place(NewOrder(by: "unseen", "MUG-ENAMEL", paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
            stack.start(.console)
            try await stack.waitUntilReady(.console)
            // What happened meanwhile was kept by the services until the console was back.
            try await eventually("its timeline is there") {
                let report = try await ConsoleAPI(stack: stack).timeline(order.orderId.rawValue)
                return (report?.timeline.services.count ?? 0) >= 6
            }
        }
    }
}
