import Contracts
import Foundation
import Subprocess
import TestSupport
import Testing

extension SystemTests {
    /// What `shop load` says must be what the services' books say.
    @Suite("Load", .logs, .timeLimit(.minutes(3))) struct LoadTests {
        private struct Report: Decodable {
            struct Latency: Decodable {
                let p50: Double
                let p90: Double
                let p99: Double
                let p999: Double
                let max: Double

                var isOrdered: Bool { 0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max }
            }

            struct Group: Decodable {
                let what: String
                let count: Int
            }

            let placed: Int
            let accepted: Int
            let confirmed: Int
            let cancelled: Int
            let refused: Int
            let unsettled: Int
            let errors: [Group]
            let placedPerSecond: Double
            let settledPerSecond: Double
            let acceptedMilliseconds: Latency?
            let settledMilliseconds: Latency?
        }

        @Test("Orders at a rate are all accepted and settled, and the books agree with the report", .stack)
        func atARate() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let products = try await shop.products()
            let page = stack.folder.appending(path: "report.html")
            let run = try await ShopCommand.run(
                "load", "--rate", "10", "--duration", "4s", "--json", "--html", page.path,
                portOffset: stack.portOffset, folder: stack.folder)
            #expect(run.status == .exited(0), "\(run.complaints)")
            let report = try run.decode(Report.self)
            #expect(report.placed == 40 && report.accepted == 40 && report.confirmed == 40 && report.cancelled == 0)
            #expect(report.refused == 0 && report.unsettled == 0 && report.errors.isEmpty)
            #expect((8...10).contains(report.placedPerSecond) && report.settledPerSecond <= report.placedPerSecond)
            let (accepted, settled) = (
                try #require(report.acceptedMilliseconds), try #require(report.settledMilliseconds)
            )
            #expect(accepted.isOrdered && settled.isOrdered)
            #expect(accepted.p50 < settled.p50 && settled.max < 30_000)
            #expect(try String(contentsOf: page, encoding: .utf8).contains("Each order was accepted and settled."))

            try await BrokerAPI(stack: stack).waitUntilQuiet()
            let orders = try await shop.all(OrderPage.self, .order, "/orders")
            #expect(orders.count == 40)
            let books = try await Books.read(from: shop, customers: Array(Set(orders.map(\.customer.id))))
            #expect(books.entries("confirmed").count == report.confirmed)
            books.audit(initial: products)
        }

        @Test("Orders at a time: so many, and no more under way at once", .stack) func atATime() async throws {
            let stack = try currentStack()
            let run = try await ShopCommand.run(
                "load", "orders", "--concurrency", "3", "--count", "12", "--json", portOffset: stack.portOffset,
                folder: stack.folder)
            #expect(run.status == .exited(0), "\(run.complaints)")
            let report = try run.decode(Report.self)
            #expect(report.placed == 12 && report.confirmed == 12)
            let histories = try await ShopAPI(stack: stack).all(OrderPage.self, .order, "/orders").map(\.history)
            let spans = histories.map { (from: $0.first?.at ?? "", to: $0.last?.at ?? "") }
            #expect(spans.count == 12)
            #expect(spans.allSatisfy { one in spans.count { $0.from <= one.from && one.from < $0.to } <= 3 })
        }

        @Test("Orders that don't settle are named, and the command fails", .stack(paymentTimeoutSeconds: 20))
        func stuck() async throws {
            let stack = try currentStack()
            try await stack.stop(.payment)
            let run = try await ShopCommand.run(
                "load", "--rate", "4", "--duration", "1s", "--settle-within", "3s", "--json",
                portOffset: stack.portOffset, folder: stack.folder)
            #expect(run.status == .exited(1))
            let report = try run.decode(Report.self)
            #expect(report.accepted == 4 && report.confirmed == 0 && report.unsettled == 4)
            #expect(report.errors.map(\.count) == [4] && report.errors.first?.what.contains("reserved") == true)
            #expect(report.settledMilliseconds == nil)
        }

        @Test("Without a shop it says so in one sentence") func noShop() async throws {
            try await withTemporaryFolder { folder in
                let run = try await ShopCommand.run(
                    "load", portOffset: FreePorts.offset(for: Program.watched.map(\.port)), folder: folder)
                #expect(run.status == .exited(1) && run.output == "")
                #expect(run.complaints.contains("No shop is running in"))
                #expect(run.complaints.split(separator: "\n").count == 1)
            }
        }
    }
}
