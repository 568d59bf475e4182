import Contracts
import Foundation
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
            .stack(paymentTimeoutSeconds: 4, holdBackSeconds: 20), .timeLimit(.minutes(5)))
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
            let books = try await Books.audited(in: shop, methods: plan.methods(of: accepted), initial: initial)
            #expect(Set(accepted.values).count == accepted.count)
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
                try await trip.run(shoppers: Self.shoppers, in: shop) { progress.yield() }
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
    }
}
