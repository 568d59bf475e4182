import Contracts
import Foundation
import TestSupport
import Testing

extension SystemTests {
    /// The server that all services have their data on dies. Run it with `deploy/with-postgres`.
    @Suite("A database server's outage", .logs, .enabled(if: TestEngine.current == .postgreSQL))
    struct DatabaseOutageTests {
        static let orders = 60
        static let shoppers = 12

        @Test(
            "It is away for longer than anybody waits: requests are told so, messages wait, and the books balance",
            .stack(paymentTimeoutSeconds: 30, holdBackSeconds: 20), .timeLimit(.minutes(4)))
        func booksBalance() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let plan = Self.plan(seed: .random(in: 1...999_999))
            let initial = try await shop.products()
            let trip = ShoppingTrip(purchases: plan)
            let (steps, progress) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    // In the middle of it all, when there are orders in each state.
                    for await _ in steps.prefix(Self.orders / 2) {}
                    let server = try DatabaseServer()
                    try await server.whileAway {
                        try await Self.expectRefusal(by: shop)
                        try await eventually("order says that the database is away", within: .seconds(60)) {
                            let answer = try await shop.send(.get, .order, "/health/ready")
                            let text = String(decoding: answer.body, as: UTF8.self)
                            return answer.status == 503 && text.contains("The database can't be reached")
                        }
                        try await eventually("a message waits for the database", within: .seconds(60)) {
                            Program.services.contains { Self.says("a message waits for the database", $0, stack) }
                        }
                    }
                    for service in Program.services { try await stack.waitUntilReady(service) }
                    // Nobody counts any more.
                    for await _ in steps {}
                }
                try await trip.run(shoppers: Self.shoppers, in: shop) { progress.yield() }
                progress.finish()
                try await group.waitForAll()
            }
            let methods = Dictionary(
                uniqueKeysWithValues: plan.compactMap { purchase in
                    trip.accepted[purchase.key].map { ($0, purchase.order.paymentMethod) }
                })
            let books = try await Books.audited(in: shop, methods: methods, initial: initial)
            #expect(books.entries("confirmed").count > Self.orders / 4)
            for service in Program.services {
                #expect(!Self.says("a message failed and is retried", service, stack), "\(service)")
            }
        }

        /// Orders that don't take longer than the server is away.
        private static func plan(seed: UInt64) -> [CrashPlan.Purchase] {
            print("the orders are those of the seed \(seed)")
            let all = CrashPlan(seed: seed, orders: orders * 2, kills: 1).purchases
            return Array(all.filter { ![.slow, .silent].contains($0.order.paymentMethod) }.prefix(orders))
        }

        private static func expectRefusal(by shop: ShopAPI) async throws {
            let answer = try await shop.send(.get, .order, "/orders/\(UUIDv7.make())", timeout: .seconds(60))
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] != nil)
            #expect(text.contains("send the request again"), "\(text)")
        }

        private static func says(_ sentence: String, _ program: Program, _ stack: Stack) -> Bool {
            stack.logLines(of: program).contains { $0.contains(#""message":"\#(sentence)""#) }
        }
    }
}

/// The server of `deploy/with-postgres`, which starts again when it dies, unless there is a file that holds it back.
private struct DatabaseServer {
    private let folder: URL

    init() throws {
        guard let path = ProcessInfo.processInfo.environment["TEST_POSTGRES_FOLDER"] else {
            throw SystemTestError("TEST_POSTGRES_FOLDER is missing; run the tests with deploy/with-postgres.")
        }
        folder = URL(filePath: path)
    }

    /// `kill -9` to the server, all of it, which is away until `body` has returned: its connections' processes would outlive
    /// the first one, and go on answering for a moment.
    func whileAway(_ body: () async throws -> Void) async throws {
        let hold = folder.appending(path: "hold")
        try Data().write(to: hold)
        defer { try? FileManager.default.removeItem(at: hold) }
        let file = try String(contentsOf: folder.appending(path: "data/postmaster.pid"), encoding: .utf8)
        guard let processID = file.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
            throw SystemTestError("There is no process in postmaster.pid.")
        }
        // It makes no new ones while it is stopped.
        kill(processID, SIGSTOP)
        do {
            defer { kill(processID, SIGKILL) }
            let children = try String(contentsOfFile: "/proc/\(processID)/task/\(processID)/children", encoding: .utf8)
            for child in children.split(separator: " ").compactMap({ pid_t($0) }) { kill(child, SIGKILL) }
        }
        try await body()
    }
}
