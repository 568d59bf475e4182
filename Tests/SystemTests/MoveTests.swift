import Contracts
import Foundation
import Subprocess
import SystemPackage
import TestSupport
import Testing

extension SystemTests {
    /// A shop that runs on files goes on, on PostgreSQL. Run it with `deploy/with-postgres`.
    @Suite("Moving to PostgreSQL", .logs, .enabled(if: TestEngine.current == .postgreSQL)) struct MoveTests {
        static let orders = 120
        static let shoppers = 24

        @Test(
            "Orders that are settled stay as they are, and those under way come to their end, each once",
            .stack(paymentTimeoutSeconds: 4, holdBackSeconds: 20, movesToServer: true), .timeLimit(.minutes(5)))
        func orders() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let seed = UInt64.random(in: 1...999_999)
            let plan = CrashPlan(seed: seed, orders: Self.orders, kills: 1)
            print("the orders are those of the seed \(seed)")
            let initial = try await shop.products()
            let settled = try await settledOrders(shop)

            let trip = ShoppingTrip(purchases: plan.purchases)
            let (steps, progress) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    // In the middle of it all, when there are orders in each state.
                    for await _ in steps.prefix(Self.orders) {}
                    try await Self.move(stack, while: trip)
                    // Nobody counts any more.
                    for await _ in steps {}
                }
                try await trip.run(shoppers: Self.shoppers, in: shop) { progress.yield() }
                progress.finish()
                try await group.waitForAll()
            }
            let accepted = trip.accepted
            var methods = plan.methods(of: accepted)
            for order in settled.values { methods[order.orderId] = .ok }
            #expect(methods.count == Self.orders + settled.count)
            try await Books.audited(in: shop, methods: methods, initial: initial)
            for before in settled.values {
                let after = try await shop.order(before.orderId)
                #expect(after.status == before.status)
                #expect(after.history.map(\.at) == before.history.map(\.at))
            }
            for (key, id) in accepted.merging(settled.mapValues(\.orderId), uniquingKeysWith: { $1 }) {
                let order = try #require(plan.purchases.first { $0.key == key }?.order ?? Self.early[key])
                #expect(try await shop.place(order, key: key).orderId == id, "the same key is the same order")
            }
            expectTakenOverOnce(stack)
            for service in [Program.order, .email] { try await expectRefusal(of: service, stack) }
        }

        /// What is ordered, by its key, before anything happens.
        private static let early = [
            "early-1": NewOrder(by: "customer-1", "MUG-ENAMEL", 2, paying: .ok),
            "early-2": NewOrder(by: "customer-2", "BOOK-EIP", paying: .ok),
            "early-3": NewOrder(by: "customer-1", "NOTEBOOK-A5", paying: .declined),
        ]

        /// One that is confirmed, one that was cancelled after that, and one that couldn't be paid.
        private func settledOrders(_ shop: ShopAPI) async throws -> [String: OrderState] {
            var orders: [String: OrderState] = [:]
            for (key, order) in Self.early {
                let id = try await shop.place(order, key: key).orderId
                orders[key] = try await shop.follow(id, until: ["confirmed", "cancelled"])
                guard key == "early-2" else { continue }
                #expect(try await shop.cancel(id).status < 300)
                orders[key] = try await shop.follow(id, until: ["refunded"])
            }
            return orders
        }

        /// All services die at once, and begin again elsewhere.
        private static func move(_ stack: Stack, while trip: ShoppingTrip) async throws {
            // What is accepted now waits in outboxes.
            try await stack.freeze(.broker)
            try await eventually("each shopper waits for an order") { trip.underWay == shoppers }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for service in Program.services { group.addTask { try await stack.kill(service) } }
                try await group.waitForAll()
            }
            try await stack.thaw(.broker)
            stack.moveToServer()
            for service in Program.services { stack.start(service) }
            for service in Program.services { try await stack.waitUntilReady(service) }
        }

        /// Whoever starts a service on its file again by mistake is told where the data is.
        private func expectRefusal(of service: Program, _ stack: Stack) async throws {
            var variables = stack.environment(of: Replica(program: service, number: 1))
            variables["DATABASE_URL"] = variables.removeValue(forKey: "DATABASE_IMPORT")
            variables["PORT"] = "0"
            let command = ProgramRun.dyingWithTests([try service.executable()])
            let environment = variables.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) }
            let result = try await Subprocess.run(
                .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
                environment: .custom(Dictionary(uniqueKeysWithValues: environment)), output: .discarded,
                error: .string(limit: 1 << 16))
            #expect(result.terminationStatus == .exited(1), "\(service)")
            #expect(result.standardError.contains("The data of this file was moved to the database '"), "\(service)")
        }

        /// However many processes a service has.
        private func expectTakenOverOnce(_ stack: Stack) {
            for service in Program.services {
                let lines = stack.logLines(of: service).filter { $0.contains("the data of a file was taken over") }
                #expect(lines.count == (service == .payment ? 2 : 1), "\(service)")
            }
        }
    }
}
