import Contracts
import Testing

/// What one order has left behind in each service.
struct Footprint: Equatable, Sendable {
    /// The order's history.
    var steps: [String]
    var reason: CancellationReason?
    /// What the gateway has in its books, such as `charge succeeded`.
    var ledger: [String] = []
    /// The kinds of mails.
    var mails: [String]
    var points: [Int64] = []
    /// The kinds of notifications, in alphabetical order.
    var notifications: [String]

    static func confirmed(points: Int64) -> Footprint {
        Footprint(
            steps: ["placed", "reserved", "confirmed"], ledger: ["charge succeeded"], mails: ["order_confirmed"],
            points: [points], notifications: ["order_confirmed", "order_placed", "points_awarded"])
    }

    static func cancelled(
        _ reason: CancellationReason, after steps: [String] = ["placed", "reserved"], ledger: [String]
    ) -> Footprint {
        Footprint(
            steps: steps + ["cancelled"], reason: reason, ledger: ledger, mails: ["order_cancelled"],
            notifications: ["order_cancelled", "order_placed"])
    }

    static let refunded = Footprint(
        steps: ["placed", "reserved", "cancelled", "refunded"], reason: .paymentTimeout,
        ledger: ["charge succeeded", "refund succeeded"], mails: ["order_cancelled", "order_refunded"],
        notifications: ["order_cancelled", "order_placed", "order_refunded"])
}

extension ShopAPI {
    func footprint(of order: OrderID) async throws -> Footprint {
        let state = try await self.order(order)
        let customer = state.customer.id
        return Footprint(
            steps: state.history.map(\.status), reason: state.reason,
            ledger: try await ledger(of: order).map { "\($0.kind) \($0.status)" }.sorted(),
            mails: try await mails(about: order).map(\.kind).sorted(),
            points: try await points(of: customer).filter { $0.orderId == order }.map(\.points),
            notifications: try await notifications(of: customer).filter { $0.orderId == order }.map(\.kind).sorted())
    }

    /// Waits until an order has left exactly this behind, lets everything settle, and looks again: nothing may come
    /// after it.
    func expect(
        _ order: OrderID, leaves expected: Footprint, within limit: Duration = .seconds(30),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var last: Footprint?
        do {
            try await eventually("the order \(order) has left its footprint", within: limit) {
                last = try await footprint(of: order)
                return last == expected
            }
        } catch {
            #expect(last == expected, "\(error)", sourceLocation: sourceLocation)
            return
        }
        try await BrokerAPI(stack: stack).waitUntilQuiet()
        let atLast = try await footprint(of: order)
        #expect(atLast == expected, sourceLocation: sourceLocation)
    }
}
