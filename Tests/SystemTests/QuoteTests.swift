import Contracts
import Foundation
import Subprocess
import Testing

extension SystemTests {
    /// Scatter-gather: inventory, loyalty and payment are asked at once, and the answer doesn't wait for stragglers.
    @Suite("Quotes", .logs, .timeLimit(.minutes(2))) struct QuoteTests {
        @Test("All three answer, over the broker and over HTTP alike", .stack) func complete() async throws {
            let shop = ShopAPI(stack: try currentStack())
            let order = try await shop.place(NewOrder(by: "ada", "HEADPHONES-ANC", paying: .ok))
            try await shop.expect(order.orderId, leaves: .confirmed(points: 249))
            for mode in ["parallel", "sequential"] {
                let quote = try await shop.quote(for: "ada", "MUG-ENAMEL", 10, mode: mode, deadline: 5000)
                #expect(quote.mode == mode && quote.missing.isEmpty)
                #expect(quote.total == Money(amountMinorUnits: 14_500, currency: "EUR"))
                #expect(quote.discount?.percent == 2 && quote.discount?.amount.amountMinorUnits == 290)
                #expect(quote.fee == Money(amountMinorUnits: 218, currency: "EUR"))
                #expect(quote.payable == Money(amountMinorUnits: 14_428, currency: "EUR"))
                #expect(quote.availability?.isAvailable == true)
            }
            let short = try await shop.quote(for: "bob", "LIMITED-PRINT-7", 4, deadline: 5000)
            #expect(short.availability?.items.first?.available == 3 && short.availability?.isAvailable == false)
            #expect(short.discount?.percent == 0)
            #expect(try await shop.product("LIMITED-PRINT-7").reserved == 0, "a quote holds nothing")
            for mode in ["parallel", "sequential"] {
                let quote = try await shop.quote(
                    for: "bob", "MUG-ENAMEL", paying: "pm_none", mode: mode, deadline: 5000)
                #expect(quote.missing.map(\.reason) == ["refused"])
                #expect(quote.missing.first?.detail.contains("pm_none") == true)
            }
        }

        @Test("With a service stopped, the answer comes by the deadline and names it", .stack)
        func stopped() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            try await stack.stop(.payment)
            let start = ContinuousClock.now
            let quote = try await shop.quote(for: "ada", "MUG-ENAMEL", deadline: 1500)
            let took = ContinuousClock.now - start
            #expect(quote.missing.map(\.from) == ["payment"])
            #expect(quote.missing.map(\.reason) == ["no_answer_in_time"])
            #expect(quote.availability != nil && quote.discount != nil && quote.payable == nil)
            #expect(took >= .milliseconds(1500) && took < .milliseconds(2500))

            let inTurn = try await shop.quote(for: "ada", "MUG-ENAMEL", mode: "sequential", deadline: 1500)
            #expect(inTurn.missing.map(\.reason) == ["unreachable"], "a refused connection needn't be waited for")
            #expect(inTurn.elapsedMilliseconds < 1500)

            stack.start(.payment)
            try await eventually("payment drops the question that it was too late for") {
                try await shop.hasExpired("payment-requests", in: .payment)
            }
            #expect(try await shop.quote(for: "ada", "MUG-ENAMEL", deadline: 5000).missing.isEmpty)
        }

        @Test("A service that hangs costs one part when asked beside the others, and all that follow in turn", .stack)
        func frozen() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            try await stack.freeze(.inventory)
            let atOnce = try await shop.quote(for: "ada", "MUG-ENAMEL", deadline: 1500)
            #expect(atOnce.missing.map(\.from) == ["inventory"])
            let inTurn = try await shop.quote(for: "ada", "MUG-ENAMEL", mode: "sequential", deadline: 1500)
            #expect(inTurn.missing.map(\.reason) == ["no_answer_in_time", "not_asked", "not_asked"])
            #expect((1500..<2500).contains(inTurn.elapsedMilliseconds))
            try await stack.thaw(.inventory)
            try await eventually("inventory drops the question whose time was over when it went on") {
                try await shop.hasExpired("inventory-requests", in: .inventory)
            }
        }

        @Test("A reply after the deadline is dropped and counted", .stack) func late() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            try await stack.freeze(.payment)
            let limit = Duration.seconds(5)
            let start = ContinuousClock.now
            async let asked = shop.quote(for: "ada", "MUG-ENAMEL", deadline: 5000)
            try await eventually("the other two have answered") {
                try await shop.metric("messaging_client_replies_total", #"outcome="taken""#, of: .order) == 2
            }
            // Order stands still while payment's reply, which is in time, comes in; when it goes on, it is too late.
            try await stack.freeze(.order)
            try await stack.thaw(.payment)
            try await eventually("payment has answered") {
                try await shop.metric("messaging_client_requests_total", #"outcome="answered""#, of: .payment) == 1
            }
            #expect(ContinuousClock.now - start < limit, "the machine is too slow for this test")
            try await eventually("the time is up") { ContinuousClock.now - start > limit + .milliseconds(100) }
            try await stack.thaw(.order)
            let quote = try await asked
            #expect(quote.missing.map(\.from) == ["payment"])
            #expect(quote.missing.map(\.reason) == ["no_answer_in_time"])
            try await eventually("the late reply is counted") {
                try await shop.hasExpired("order-replies", in: .order)
            }
        }

        @Test("Each life of order has its own reply queue, and takes it away when it is stopped", .stack)
        func replyQueues() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let broker = BrokerAPI(stack: stack)
            let first = try await eventually("there is a reply queue") {
                let queues = try await broker.replyQueues(of: .order)
                return queues.count == 1 ? queues : nil
            }
            try await stack.restart(.order)
            try await stack.waitUntilReady(.order)
            #expect(try await shop.quote(for: "ada", "MUG-ENAMEL", deadline: 5000).missing.isEmpty)
            let both = try await broker.replyQueues(of: .order)
            #expect(both.count == 2 && both.isSuperset(of: first), "a killed process can't remove its queue")
            try await stack.stop(.order)
            #expect(try await broker.replyQueues(of: .order) == first)
        }

        @Test("With the broker gone the answer says so by the deadline, and HTTP still works", .stack)
        func noBroker() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            try await stack.kill(.broker)
            let quote = try await shop.quote(for: "ada", "MUG-ENAMEL", deadline: 1000)
            #expect(quote.missing.map(\.reason) == ["unreachable", "unreachable", "unreachable"])
            #expect(quote.total.amountMinorUnits == 1450 && quote.elapsedMilliseconds < 1000)
            let inTurn = try await shop.quote(for: "ada", "MUG-ENAMEL", mode: "sequential", deadline: 5000)
            #expect(inTurn.missing.isEmpty)
        }
    }
}

/// The answer to `POST /quotes`.
struct QuoteState: Decodable, Sendable {
    struct Discount: Decodable, Sendable {
        let percent: Int
        let amount: Money
    }

    struct Missing: Decodable, Sendable {
        let from: String
        let reason: String
        let detail: String
    }

    let mode: String
    let elapsedMilliseconds: Int
    let total: Money
    let availability: AvailabilityChecked?
    let discount: Discount?
    let fee: Money?
    let payable: Money?
    let missing: [Missing]
}

extension ShopAPI {
    fileprivate func quote(
        for customer: CustomerID, _ sku: SKU, _ quantity: Int = 1, paying method: PaymentMethod = .ok,
        mode: String = "parallel", deadline: Int
    ) async throws -> QuoteState {
        let body = """
            {"customerId":"\(customer)","items":[{"sku":"\(sku)","quantity":\(quantity)}],"paymentMethod":"\(method)",
             "deadlineMilliseconds":\(deadline)}
            """
        return try await send(
            .post, .order, "/quotes?mode=\(mode)", headers: ["Content-Type": "application/json"], body: Data(body.utf8)
        ).decode()
    }

    /// Whether a service has dropped a message of a queue because its time was over. It counts deliveries, of which
    /// there may be more than one for a message whose receiver stood still.
    fileprivate func hasExpired(_ queue: String, in program: Program) async throws -> Bool {
        let count = try await metric(
            "messaging_client_consumed_messages_total", "\"\(queue)\"", #"outcome="expired""#, of: program)
        return (count ?? 0) >= 1
    }
}
