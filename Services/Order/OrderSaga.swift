import Contracts
import Foundation
import Outbox

/// What happens next to an order, from top to bottom. Each step takes a fact, moves the order on and says what is to be
/// sent; what no longer matters for an order in its present status changes nothing.
///
/// Compensation is in the steps that cancel: `OrderCancelled` makes inventory release the stock and loyalty take its
/// points back, and money that came or comes for a cancelled order is sent back.
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
        case .reserved, .confirmed, .shipped, .delivered, .cancelled, .refunded: return []
        }
    }

    /// 2b. The stock isn't there.
    func stockRejected(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .placed: return try cancel(&order, because: .outOfStock, at: time)
        case .reserved, .confirmed, .shipped, .delivered, .cancelled, .refunded: return []
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
            return [refund(order)]
        case .confirmed, .shipped, .delivered, .refunded: return []
        case .placed: throw Order.TransitionRefused(from: .placed, to: .confirmed)
        }
    }

    /// 3b. The money isn't coming.
    func paymentFailed(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .reserved: return try cancel(&order, because: .paymentDeclined, at: time)
        case .confirmed, .shipped, .delivered, .cancelled, .refunded: return []
        case .placed: throw Order.TransitionRefused(from: .placed, to: .cancelled)
        }
    }

    /// 3c. Nobody has said anything about the money in time.
    func paymentTimedOut(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .reserved: return try cancel(&order, because: .paymentTimeout, at: time)
        case .placed, .confirmed, .shipped, .delivered, .cancelled, .refunded: return []
        }
    }

    /// 4. The goods have moved on. The news of a delivery may overtake that of the departure.
    func shipmentMoved(
        _ order: inout Order, to status: ShipmentStatus, at time: Date
    ) throws -> [OutgoingMessage] {
        switch (order.status, status) {
        case (.confirmed, .shipped): try order.ship(at: time)
        case (.confirmed, .delivered):
            try order.ship(at: time)
            try order.deliver(at: time)
        case (.shipped, .delivered): try order.deliver(at: time)
        case (.shipped, _), (.delivered, _), (.confirmed, _), (.cancelled, _), (.refunded, _): break
        case (.placed, _), (.reserved, _): throw Order.TransitionRefused(from: order.status, to: .shipped)
        }
        return []
    }

    /// C1. The customer doesn't want it any more. Until the money is there that is decided here; afterwards the goods
    /// must be stopped first, and only inventory knows whether they are still there.
    func cancellationRequested(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .placed, .reserved: return try cancel(&order, because: .customerRequest, at: time)
        case .confirmed:
            guard try order.requestCancellation(at: time) else { return [] }
            let stop = StopShipment(orderId: order.id, customerId: order.customer.id)
            return [.command(stop, to: .inventory, about: order.id.rawValue)]
        case .cancelled, .refunded: return []
        case .shipped, .delivered: throw Order.TransitionRefused(from: order.status, to: .cancelled)
        }
    }

    /// C2. The goods stay: now it is cancelled, and the money goes back.
    func shipmentStopped(
        _ order: inout Order, in place: ShipmentStatus?, at time: Date
    ) throws -> [OutgoingMessage] {
        switch order.status {
        case .confirmed:
            return try cancel(&order, because: .customerRequest, stopping: place, at: time) + [refund(order)]
        case .cancelled, .refunded: return []
        case .placed, .reserved, .shipped, .delivered:
            throw Order.TransitionRefused(from: order.status, to: .cancelled)
        }
    }

    /// C2b. The goods had left before: the order goes on.
    func shipmentNotStopped(_ order: inout Order, in place: ShipmentStatus) throws -> [OutgoingMessage] {
        guard try order.refuseCancellation() else { return [] }
        return [event(CancellationRefused(orderId: order.id, customer: order.customer, shipment: place), order)]
    }

    /// C3. Money that came too late, or was no longer wanted, is back where it came from.
    func paymentRefunded(_ order: inout Order, at time: Date) throws -> [OutgoingMessage] {
        switch order.status {
        case .cancelled:
            try order.refund(at: time)
            return [
                event(OrderRefunded(orderId: order.id, customer: order.customer, total: order.total), order)
            ]
        case .refunded: return []
        case .placed, .reserved, .confirmed, .shipped, .delivered:
            throw Order.TransitionRefused(from: order.status, to: .refunded)
        }
    }

    private func cancel(
        _ order: inout Order, because reason: CancellationReason, stopping shipment: ShipmentStatus? = nil,
        at time: Date
    ) throws -> [OutgoingMessage] {
        let wasConfirmed = order.status == .confirmed
        try order.cancel(because: reason, at: time)
        return [
            event(
                OrderCancelled(
                    orderId: order.id, customer: order.customer, total: order.total, reason: reason,
                    wasConfirmed: wasConfirmed, stoppedShipment: shipment),
                order)
        ]
    }

    private func refund(_ order: Order) -> OutgoingMessage {
        let refund = RefundPayment(orderId: order.id, reason: order.reason ?? .paymentTimeout)
        return .command(refund, to: .payment, about: order.id.rawValue)
    }

    private func event(_ payload: some MessagePayload, _ order: Order) -> OutgoingMessage {
        .event(payload, on: .orderEvents, about: order.id.rawValue)
    }
}
