import Contracts
import Foundation

/// One line in a customer's list: what has happened, in words.
struct CustomerNotification: Equatable, Sendable {
    enum Kind: String, Sendable {
        case orderPlaced = "order_placed"
        case orderConfirmed = "order_confirmed"
        case orderCancelled = "order_cancelled"
        case orderRefunded = "order_refunded"
        case pointsAwarded = "points_awarded"
    }

    /// The id of the event that it tells of.
    let id: String
    let customer: CustomerID
    let orderID: OrderID
    let kind: Kind
    let text: String
    /// When it happened, by the clock of the service that it happened in.
    let at: Date
}

// MARK: - Words

extension CustomerNotification {
    init(_ event: CloudEvent<OrderPlaced>) {
        self.init(
            event.attributes, event.data.customer.id, event.data.orderId, .orderPlaced,
            "We have your order for \(event.data.total) and are checking the stock.")
    }

    init(_ event: CloudEvent<OrderConfirmed>) {
        self.init(
            event.attributes, event.data.customer.id, event.data.orderId, .orderConfirmed,
            "Your order for \(event.data.total) is confirmed.")
    }

    init(_ event: CloudEvent<OrderCancelled>) {
        self.init(
            event.attributes, event.data.customer.id, event.data.orderId, .orderCancelled,
            "Your order for \(event.data.total) was cancelled: \(Self.words(for: event.data.reason)).")
    }

    init(_ event: CloudEvent<OrderRefunded>) {
        self.init(
            event.attributes, event.data.customer.id, event.data.orderId, .orderRefunded,
            "We have returned \(event.data.total) to you.")
    }

    init(_ event: CloudEvent<PointsAwarded>) {
        self.init(
            event.attributes, event.data.customerId, event.data.orderId, .pointsAwarded,
            "You got \(event.data.points) \(event.data.points == 1 ? "point" : "points") and now have \(event.data.balance)."
        )
    }

    private init(
        _ attributes: EventAttributes, _ customer: CustomerID, _ order: OrderID, _ kind: Kind, _ text: String
    ) {
        self.init(
            id: attributes.id, customer: customer, orderID: order, kind: kind, text: text, at: attributes.time)
    }

    private static func words(for reason: CancellationReason) -> String {
        switch reason {
        case .outOfStock: "something in it is out of stock"
        case .paymentDeclined: "the payment was declined"
        case .paymentTimeout: "the payment did not arrive in time"
        default: reason.rawValue.replacing("_", with: " ")
        }
    }
}
