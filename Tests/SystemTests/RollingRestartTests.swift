import Contracts
import Subprocess
import Testing

extension SystemTests {
    /// Each process is asked to stop and started again, one after the other, as when a new version is rolled out. With
    /// `TEST_REPLICAS` the others of its service go on meanwhile; without, its customers try again and its messages wait.
    @Suite("Rolling restart", .logs) struct RollingRestartTests {
        static let orders = 108
        /// How many buy at once while one process stops and starts.
        static let shoppers = 4

        @Test(
            "108 orders while each process in turn is stopped and started: everything settles and the books balance",
            .stack(paymentTimeoutSeconds: 4, holdBackSeconds: 20), .timeLimit(.minutes(2)))
        func booksBalance() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let seed = UInt64.random(in: 1...999_999)
            let plan = CrashPlan(seed: seed, orders: Self.orders, kills: 1)
            print("the orders are those of the seed \(seed)")
            let initial = try await shop.products()

            let accepted = try await shopDuringRestarts(plan, shop)
            #expect(accepted.count == Self.orders)
            let methods = plan.methods(of: accepted)
            #expect(methods.count == accepted.count, "each has an order of its own")
            let books = try await Books.audited(in: shop, methods: methods, initial: initial)
            // Otherwise it would have been no test of anything.
            #expect(books.entries("confirmed").count > Self.orders / 4)
            for service in Program.services {
                // Who has to cut off its work ends with status 0, too, but says so.
                let ends = stack.logLines(of: service).filter { $0.contains(#""message":"stopped""#) }
                #expect(ends.count == stack.settings.replicas, "\(service)")
            }
        }

        /// Places the plan's orders, a share of them while each process is restarted. What was placed before may still be
        /// under way.
        /// - Returns: the accepted orders by their keys.
        private func shopDuringRestarts(_ plan: CrashPlan, _ shop: ShopAPI) async throws -> [String: OrderID] {
            let stack = shop.stack
            let processes = Program.services.flatMap { Replica.all(of: $0, stack.settings.replicas) }
            let trips = processes.indices.map { index in
                let share = stride(from: index, to: plan.purchases.count, by: processes.count)
                return ShoppingTrip(purchases: share.map { plan.purchases[$0] })
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (process, trip) in zip(processes, trips) {
                    let (steps, progress) = AsyncStream<Void>.makeStream()
                    group.addTask {
                        defer { progress.finish() }
                        try await trip.run(shoppers: Self.shoppers, in: shop) { progress.yield() }
                    }
                    // It is to stop in the middle of something.
                    for await _ in steps.prefix(1) {}
                    #expect(try await stack.stop(process) == .exited(0), "\(process)")
                    stack.start(process.program)
                    try await stack.waitUntilReady(process.program)
                }
                try await group.waitForAll()
            }
            return trips.reduce(into: [:]) { accepted, trip in accepted.merge(trip.accepted) { first, _ in first } }
        }
    }
}
