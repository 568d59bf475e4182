import Contracts
import Foundation
import Outbox

/// What loyalty does with a confirmed order, and with one that is cancelled.
struct Handlers: Sendable {
    let store: LoyaltyStore

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderConfirmed.self) { event, transaction in
            let order = event.data
            let entry = PointsEntry(
                orderID: order.orderId, points: PointsEntry.points(for: order.total), at: Date())
            guard let balance = try store.award(entry, to: order.customer.id, in: transaction) else { return [] }
            let awarded = PointsAwarded(
                customerId: order.customer.id, orderId: order.orderId, points: entry.points, balance: balance)
            return [.event(awarded, on: .loyaltyEvents, about: order.orderId.rawValue)]
        }
        handlers.on(OrderCancelled.self) { event, transaction in
            let (order, customer) = (event.data.orderId, event.data.customer.id)
            guard let gone = try store.reverse(order, of: customer, in: transaction) else { return [] }
            let reversed = PointsReversed(
                customerId: customer, orderId: order, points: gone.points, balance: gone.balance)
            return [.event(reversed, on: .loyaltyEvents, about: order.rawValue)]
        }
    }
}
