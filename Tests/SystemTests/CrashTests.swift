import Contracts
import Foundation
import Synchronization
import TestSupport
import Testing

extension SystemTests {
    /// Nothing is lost and nothing happens twice, whoever is killed.
    @Suite("kill -9", .logs) struct CrashTests {
        static let orders = 300
        static let kills = 24
        static let shoppers = 24

        @Test(
            "300 orders under load with random processes killed: everything settles and the books balance",
            .stack(paymentTimeoutSeconds: 4), .timeLimit(.minutes(5)))
        func booksBalance() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let seed = try Self.seed()
            let plan = CrashPlan(seed: seed, orders: Self.orders, kills: Self.kills)
            print("CRASH_TEST_SEED=\(seed); kills after steps \(plan.kills.map(\.description))")
            let initial = try await shop.products()

            let accepted = try await shopUnderFire(plan, shop)
            #expect(accepted.count == Self.orders)
            for program in Program.allCases { try await stack.waitUntilReady(program) }
            let methods = Dictionary(
                plan.purchases.compactMap { purchase in
                    accepted[purchase.key].map { ($0, purchase.order.paymentMethod) }
                }, uniquingKeysWith: { first, _ in first })
            let books = try await settledBooks(shop, methods)

            #expect(Set(books.entries.map(\.order.orderId)) == Set(accepted.values), "no order is lost or made twice")
            #expect(Set(accepted.values).count == accepted.count)
            books.audit(initial: initial)
            try await expectNoDeadLetters(stack)
            try expectMailbox(stack, books)
            let outcomes = Dictionary(grouping: books.entries, by: \.order.status).mapValues(\.count)
            print("CRASH_TEST_SEED=\(seed); outcomes \(outcomes)")
            // Otherwise it would have been no test of anything.
            #expect(outcomes["confirmed", default: 0] > Self.orders / 4)
        }

        /// A given seed, or a new one.
        private static func seed() throws -> UInt64 {
            guard let text = ProcessInfo.processInfo.environment["CRASH_TEST_SEED"], !text.isEmpty else {
                return UInt64.random(in: 1...999_999)
            }
            guard let seed = UInt64(text) else {
                throw SystemTestError("CRASH_TEST_SEED must be a whole number, not '\(text)'.")
            }
            return seed
        }

        /// Places all orders with many shoppers at once, while the plan's programs are killed.
        /// - Returns: the accepted orders by their keys.
        private func shopUnderFire(_ plan: CrashPlan, _ shop: ShopAPI) async throws -> [String: OrderID] {
            let (steps, progress) = AsyncStream<Void>.makeStream()
            let trip = ShoppingTrip(purchases: plan.purchases)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Self.kill(as: plan, on: steps, in: shop.stack) }
                try await withThrowingTaskGroup(of: Void.self) { shoppers in
                    for _ in 1...Self.shoppers {
                        shoppers.addTask {
                            while let purchase = trip.next() {
                                let id = try await Self.buy(purchase, shop)
                                trip.note(id, for: purchase)
                                progress.yield()
                                try await Self.waitUntilDecided(id, shop)
                                progress.yield()
                            }
                        }
                    }
                    try await shoppers.waitForAll()
                }
                progress.finish()
                try await group.waitForAll()
            }
            return trip.accepted
        }

        private static func kill(as plan: CrashPlan, on steps: AsyncStream<Void>, in stack: Stack) async throws {
            var count = 0
            var kills = plan.kills[...]
            for await _ in steps {
                count += 1
                while let kill = kills.first, kill.afterSteps <= count {
                    kills.removeFirst()
                    for victim in kill.victims {
                        // When all die at once, all replicas do.
                        if kill.victims.count > 1 {
                            try await stack.kill(victim)
                        } else {
                            try await stack.killOne(of: victim)
                        }
                    }
                    for victim in kill.victims { stack.start(victim) }
                }
            }
            #expect(kills.isEmpty, "the whole plan was carried out")
        }

        /// Tries with the same key until the order is accepted.
        private static func buy(_ purchase: CrashPlan.Purchase, _ shop: ShopAPI) async throws -> OrderID {
            try await eventually("\(purchase.key) is accepted", within: .seconds(60)) {
                let answer = try await shop.post(purchase.order, key: purchase.key)
                if answer.status == 202 { return try answer.decode(AcceptedOrder.self).orderId }
                // Not ready again yet; anything else would be a wrong answer.
                #expect(answer.status == 503)
                return nil
            }
        }

        private static func waitUntilDecided(_ id: OrderID, _ shop: ShopAPI) async throws {
            _ = try await eventually("\(id) is decided", within: .seconds(90)) {
                try await shop.follow(id, until: ["confirmed", "cancelled", "refunded"], within: .seconds(90))
            }
        }

        /// Waits until nothing more can happen to any order, then reads everything.
        private func settledBooks(_ shop: ShopAPI, _ methods: [OrderID: PaymentMethod]) async throws -> Books {
            try await eventually("all orders are settled and all late payments returned", within: .seconds(90)) {
                let books = try await Books.read(from: shop, customers: CrashPlan.customers)
                return books.entries.allSatisfy { $0.isSettled(paidBy: methods[$0.order.orderId]) }
            }
            try await BrokerAPI(stack: shop.stack).waitUntilQuiet(delayed: true, within: .seconds(60))
            // Mails go out after the queues are empty.
            return try await eventually("all mails are out", within: .seconds(60)) {
                let books = try await Books.read(from: shop, customers: CrashPlan.customers)
                return books.entries.allSatisfy { $0.mails.count >= ($0.order.status == "refunded" ? 2 : 1) }
                    ? books : nil
            }
        }

        private func expectNoDeadLetters(_ stack: Stack) async throws {
            for queue in Topology.shop.queues {
                let letters = try await BrokerAPI(stack: stack).drain(queue.deadLetters)
                let reasons = letters.map { $0.attributes["reason"] ?? "moved by the broker: \($0.body)" }
                #expect(reasons == [], "\(queue)")
            }
        }

        /// The mailbox has each mail once: a retry can't make a second one.
        private func expectMailbox(_ stack: Stack, _ books: Books) throws {
            let files = try FileManager.default.contentsOfDirectory(
                atPath: stack.maildir.appending(path: "new").path)
            #expect(files.count == books.entries.reduce(0) { $0 + $1.mails.count })
        }
    }
}

/// What is still to be bought, and what was accepted.
private final class ShoppingTrip: Sendable {
    private let basket: Mutex<ArraySlice<CrashPlan.Purchase>>
    private let orders = Mutex<[String: OrderID]>([:])

    init(purchases: [CrashPlan.Purchase]) { basket = Mutex(purchases[...]) }

    var accepted: [String: OrderID] { orders.withLock { $0 } }

    func next() -> CrashPlan.Purchase? { basket.withLock { $0.popFirst() } }

    func note(_ id: OrderID, for purchase: CrashPlan.Purchase) { orders.withLock { $0[purchase.key] = id } }
}
