import Contracts
import Synchronization
import Testing

/// Many shoppers at once, who buy all that a plan has, whatever becomes of the shop meanwhile.
final class ShoppingTrip: Sendable {
    private struct State {
        var basket: ArraySlice<CrashPlan.Purchase>
        var accepted: [String: OrderID] = [:]
        var decided = 0
    }

    private let state: Mutex<State>

    init(purchases: [CrashPlan.Purchase]) { state = Mutex(State(basket: purchases[...])) }

    /// The orders by their keys.
    var accepted: [String: OrderID] { state.withLock { $0.accepted } }

    /// How many orders were accepted and not yet seen to be decided.
    var underWay: Int { state.withLock { $0.accepted.count - $0.decided } }

    /// Returns once all orders are decided.
    /// - Parameter progress: called when an order was accepted, and again when it is decided.
    func run(shoppers: Int, in shop: ShopAPI, progress: @escaping @Sendable () -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 1...shoppers {
                group.addTask {
                    while let purchase = self.next() {
                        let id = try await Self.buy(purchase, shop)
                        self.state.withLock { $0.accepted[purchase.key] = id }
                        progress()
                        try await Self.waitUntilDecided(id, shop)
                        self.state.withLock { $0.decided += 1 }
                        progress()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func next() -> CrashPlan.Purchase? { state.withLock { $0.basket.popFirst() } }

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
}
