import Foundation
import Synchronization

/// `shop load orders`: places orders by a schedule, follows each to its end, and notes when what happened.
final class OrderLoad: Sendable {
    /// Customers take turns, as in a shop where the same people come back.
    static let customers = 1000
    /// Orders that are followed at once, each with a request of its own. Those accepted after them wait for their turn,
    /// which doesn't show as long as orders are settled roughly in the order in which they came.
    static let followedAtOnce = 512
    private static let longestWait = Duration.seconds(30)
    private static let pause = Duration.milliseconds(100)

    /// Places orders.
    private let shop: ShopClient
    /// Asks how they are, over connections of its own, so that no order waits behind somebody who asks.
    private let followers: ShopClient
    private let schedule: OrderSchedule
    /// How long an order may take from when it was due.
    private let limit: Duration
    /// What is ordered, one of it each time.
    private let sku: String
    /// In the customers' names and the idempotency keys.
    private let run: String

    private let state = Mutex((ledger: OrderLoadLedger(), depths: [OrderLoadReport.Depths]()))
    private let start = ContinuousClock.now

    private struct Accepted: Sendable {
        /// In the ledger.
        let entry: Int
        let id: String
        let due: Duration
    }

    init(
        shop: ShopClient, followers: ShopClient, schedule: OrderSchedule, limit: Duration, sku: String, run: String
    ) {
        self.shop = shop
        self.followers = followers
        self.schedule = schedule
        self.limit = limit
        self.sku = sku
        self.run = run
    }

    /// Runs it all, and returns once each order has come to an end.
    func measure() async throws -> OrderLoadReport {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.watch() }
            switch schedule {
            case .open: try await placeBySchedule()
            case .closed(let concurrency, let count): try await placeByTurns(concurrency, count)
            }
            group.cancelAll()
        }
        return state.withLock { OrderLoadReport(schedule: schedule, ledger: $0.ledger, depths: $0.depths) }
    }

    private var now: Duration { ContinuousClock.now - start }

    // MARK: Placing

    private func placeBySchedule() async throws {
        let (accepted, queue) = AsyncStream<Accepted>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.follow(accepted) }
            try await withThrowingDiscardingTaskGroup { placing in
                for number in 0..<schedule.count {
                    guard let due = schedule.due(number) else { break }
                    // Waiting for answers here would hide how long those wait who come while the shop is slow.
                    try await ContinuousClock().sleep(until: start + due, tolerance: .zero)
                    placing.addTask { if let order = try await self.place(number, due: due) { queue.yield(order) } }
                }
            }
            queue.finish()
            try await group.waitForAll()
        }
    }

    private func placeByTurns(_ concurrency: Int, _ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                if number >= concurrency { try await group.next() }
                group.addTask {
                    guard let order = try await self.place(number, due: self.now) else { return }
                    try await self.follow(order)
                }
            }
            try await group.waitForAll()
        }
    }

    private func place(_ number: Int, due: Duration) async throws -> Accepted? {
        let customer = "load-\(run)-\(number % Self.customers)"
        let order = ShopClient.NewOrder(
            customer: OrderAnswer.Customer(id: customer, email: "\(customer)@example.com"),
            items: [OrderAnswer.Item(sku: sku, quantity: 1)], paymentMethod: "pm_ok")
        let entry = state.withLock { $0.ledger.placing(due: due, sent: now) }
        do {
            let placed = try await shop.place(order, key: "load-\(run)-\(number)")
            state.withLock { $0.ledger.accepted(entry, at: now) }
            return Accepted(entry: entry, id: placed.orderId, due: due)
        } catch let error as HTTP.Unreachable {
            fail(entry, "order does not answer: \(error.reason)")
        } catch let error as Refused {
            fail(entry, error.description)
        } catch let error as ShopError {
            fail(entry, error.description)
        }
        return nil
    }

    private func fail(_ entry: Int, _ what: String) {
        state.withLock { $0.ledger.failed(entry, as: .refused(what)) }
    }

    // MARK: Following

    private func follow(_ orders: AsyncStream<Accepted>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var count = 0
            for await order in orders {
                if count == Self.followedAtOnce { try await group.next() } else { count += 1 }
                group.addTask { try await self.follow(order) }
            }
            try await group.waitForAll()
        }
    }

    /// Waits until an order is settled or its time is over.
    private func follow(_ accepted: Accepted) async throws {
        var status = "placed"
        // One that had to wait for its turn is looked at once, however late that is.
        repeat {
            do {
                let left = accepted.due + limit - now
                let wait = Duration.seconds(min(Self.longestWait.seconds, max(1, left.seconds.rounded(.up))))
                let order = try await followers.order(accepted.id, settledWithin: wait)
                status = order.status
                if let ending = OrderLoadLedger.Ending(order) {
                    return state.withLock { $0.ledger.settled(accepted.entry, as: ending, at: now) }
                }
            } catch let error as HTTP.Unreachable {
                status = "nobody knows, for order does not answer: \(error.reason)"
                try await Task.sleep(for: Self.pause)
            } catch let refused as Refused {
                status = "nobody knows, for order answers HTTP \(refused.status)"
                try await Task.sleep(for: Self.pause)
            }
        } while now < accepted.due + limit
        state.withLock { [status] in $0.ledger.failed(accepted.entry, as: .lost(status: status)) }
    }

    // MARK: Watching

    /// Shows once a second how far it is, and notes how full the queues are.
    private func watch() async throws {
        let brokerMetrics = try shop.addresses.url(of: "broker") + "/metrics"
        var bar = ProgressBar()
        defer { bar.clear() }
        for second in 0... {
            try await ContinuousClock().sleep(until: start + .seconds(second))
            if let metrics = try? await shop.http.get(brokerMetrics, timeout: .seconds(1)), metrics.status == 200 {
                let depths = QueueDepths(metrics: String(decoding: metrics.body, as: UTF8.self))
                state.withLock { $0.depths.append(OrderLoadReport.Depths(at: now, queues: depths.queues)) }
            }
            let (ended, text) = state.withLock { ($0.ledger.endedCount, $0.ledger.progress) }
            bar.show(done: ended, of: schedule.count, after: now, text)
        }
    }
}

extension OrderLoadLedger.Ending {
    /// `nil` while the order may still go either way.
    fileprivate init?(_ order: OrderAnswer) {
        switch Outcome(status: order.status) {
        case .confirmed: self = .confirmed
        case .cancelled, .refunded: self = .cancelled(reason: order.reason ?? "no reason given")
        case .unsettled: return nil
        }
    }
}
