import Contracts
import Foundation
import Outbox

/// What happens next to an order, from top to bottom. Each step takes a fact, moves the order on and says what is to be
/// sent; what no longer matters for an order in its present status changes nothing.
///
/// Compensation is in the steps that cancel: `OrderCancelled` makes inventory release the stock, and money that comes
/// for a cancelled order is sent back.
struct OrderSaga: Sendable {
    /// How long an order waits for its money.
    let paymentTimeout: Duration

    /// 1. The customer has ordered: inventory is asked by the event.
    func placed(_ order: Order) -> [OutgoingMessage] {
        [
            event(
                OrderPlaced(orderId: order.id, customer: order.customer, items: order.lines, total: order.total),
                order)
        ]
    }

    /// 2. The stock is held: payment is told to charge, and a delayed message waits for the case that it never answers.
    func stockReserved(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .placed:
            try order.reserve(at: time)
            let charge = ChargePayment(
                orderId: order.id, customerId: order.customer.id, amount: order.total,
                paymentMethod: order.paymentMethod)
            return [
                .command(charge, to: .payment, about: order.id.rawValue),
                .command(
                    CancelUnpaidOrder(orderId: order.id), to: .order, about: order.id.rawValue,
                    after: paymentTimeout),
            ]
        case .reserved, .confirmed, .cancelled, .refunded: return []
        }
    }

    /// 2b. The stock isn't there.
    func stockRejected(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .placed: return try cancel(&order, because: .outOfStock, at: time)
        case .reserved, .confirmed, .cancelled, .refunded: return []
        }
    }

    /// 3. The money is there: everyone hears of it. If it is too late, the money goes back.
    func paymentSucceeded(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .reserved:
            try order.confirm(at: time)
            return [
                event(
                    OrderConfirmed(
                        orderId: order.id, customer: order.customer, items: order.lines, total: order.total),
                    order)
            ]
        case .cancelled:
            let refund = RefundPayment(orderId: order.id, reason: order.reason ?? .paymentTimeout)
            return [.command(refund, to: .payment, about: order.id.rawValue)]
        case .confirmed, .refunded: return []
        case .placed: throw Order.TransitionRefused(from: .placed, to: .confirmed)
        }
    }

    /// 3b. The money isn't coming.
    func paymentFailed(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .reserved: return try cancel(&order, because: .paymentDeclined, at: time)
        case .confirmed, .cancelled, .refunded: return []
        case .placed: throw Order.TransitionRefused(from: .placed, to: .cancelled)
        }
    }

    /// 3c. Nobody has said anything about the money in time.
    func paymentTimedOut(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .reserved: return try cancel(&order, because: .paymentTimeout, at: time)
        case .placed, .confirmed, .cancelled, .refunded: return []
        }
    }

    /// 4. Money that came too late is back where it came from.
    func paymentRefunded(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .cancelled:
            try order.refund(at: time)
            return [
                event(OrderRefunded(orderId: order.id, customer: order.customer, total: order.total), order)
            ]
        case .refunded: return []
        case .placed, .reserved, .confirmed: throw Order.TransitionRefused(from: order.status, to: .refunded)
        }
    }

    private func cancel(
        _ order: inout Order, because reason: CancellationReason, at time: Date
    ) throws -> [OutgoingMessage] {
        try order.cancel(because: reason, at: time)
        return [
            event(
                OrderCancelled(orderId: order.id, customer: order.customer, total: order.total, reason: reason),
                order)
        ]
    }

    private func event(_ payload: some MessagePayload, _ order: Order) -> OutgoingMessage {
        .event(payload, on: .orderEvents, about: order.id.rawValue)
    }
}
