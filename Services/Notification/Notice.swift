import Contracts
import Foundation

/// Somebody who is told what happens to an order, each in a channel of their own.
enum Recipient: Hashable, Sendable {
    case customer(CustomerID)
    case warehouse, carrier
}

/// One line in a recipient's list: what has happened, in words for them.
struct Notice: Equatable, Sendable {
    /// In the order of an order's life.
    enum Kind: String, Sendable, CaseIterable {
        case orderPlaced = "order_placed"
        case orderConfirmed = "order_confirmed"
        case pointsAwarded = "points_awarded"
        case shipmentPreparing = "shipment_preparing"
        case shipmentPacked = "shipment_packed"
        case shipmentShipped = "shipment_shipped"
        case cancellationRefused = "cancellation_refused"
        case shipmentDelivered = "shipment_delivered"
        case shipmentStopped = "shipment_stopped"
        case orderCancelled = "order_cancelled"
        case pointsReversed = "points_reversed"
        case orderRefunded = "order_refunded"
    }

    /// The id of the event that it tells of; for others than the customer, with their name behind it.
    let id: String
    let recipient: Recipient
    let orderID: OrderID
    let kind: Kind
    let text: String
    /// When it happened, by the clock of the service that it happened in.
    let at: Date
}

// MARK: - Words for customers

extension Notice {
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

    init(_ event: CloudEvent<CancellationRefused>) {
        self.init(
            event.attributes, event.data.customer.id, event.data.orderId, .cancellationRefused,
            "Your order is on its way already and could not be cancelled.")
    }

    init(_ event: CloudEvent<PointsAwarded>) {
        self.init(
            event.attributes, event.data.customerId, event.data.orderId, .pointsAwarded,
            "You got \(Self.points(event.data.points)) and now have \(event.data.balance).")
    }

    init(_ event: CloudEvent<PointsReversed>) {
        self.init(
            event.attributes, event.data.customerId, event.data.orderId, .pointsReversed,
            "We took back \(Self.points(event.data.points)); you now have \(event.data.balance).")
    }

    private init(
        _ attributes: EventAttributes, _ customer: CustomerID, _ order: OrderID, _ kind: Kind, _ text: String
    ) {
        self.init(
            id: attributes.id, recipient: .customer(customer), orderID: order, kind: kind, text: text,
            at: attributes.time)
    }

    private static func points(_ number: Int64) -> String { "\(number) \(number == 1 ? "point" : "points")" }

    private static func words(for reason: CancellationReason) -> String {
        switch reason {
        case .outOfStock: "something in it is out of stock"
        case .paymentDeclined: "the payment was declined"
        case .paymentTimeout: "the payment did not arrive in time"
        case .customerRequest: "you asked us to"
        default: reason.rawValue.replacing("_", with: " ")
        }
    }
}

// MARK: - Words for everyone who has to do with a shipment

extension Notice {
    /// What a shipment's step means to each of those whom it concerns. A step that isn't known concerns nobody.
    static func all(_ event: CloudEvent<ShipmentStatusChanged>) -> [Notice] {
        let order = event.data.orderId
        let customer = Recipient.customer(event.data.customerId)
        let words: [(Recipient, Kind, String)] =
            switch event.data.status {
            case .preparing: [(.warehouse, .shipmentPreparing, "Pack the order \(order).")]
            case .packed:
                [
                    (customer, .shipmentPacked, "Your order is packed."),
                    (.carrier, .shipmentPacked, "The order \(order) is ready to be collected."),
                ]
            case .shipped:
                [
                    (customer, .shipmentShipped, "Your order is on its way."),
                    (.warehouse, .shipmentShipped, "The order \(order) has left."),
                    (.carrier, .shipmentShipped, "The order \(order) is yours to deliver."),
                ]
            case .delivered:
                [
                    (customer, .shipmentDelivered, "Your order has arrived."),
                    (.carrier, .shipmentDelivered, "The order \(order) is delivered."),
                ]
            case .stopped:
                [
                    (.warehouse, .shipmentStopped, "Don't send the order \(order); put its goods back."),
                    (.carrier, .shipmentStopped, "The order \(order) isn't coming."),
                ]
            default: []
            }
        return words.map { recipient, kind, text in
            let name = recipient.channel
            return Notice(
                id: recipient == customer ? event.attributes.id : "\(event.attributes.id)-\(name)",
                recipient: recipient, orderID: order, kind: kind, text: text, at: event.attributes.time)
        }
    }
}

extension Recipient {
    /// The name of the channel, of which each customer has a part.
    var channel: String {
        switch self {
        case .customer: "customer"
        case .warehouse: "warehouse"
        case .carrier: "carrier"
        }
    }
}
