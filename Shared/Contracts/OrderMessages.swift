import Foundation

/// Who buys, and where mail goes.
public struct Customer: Codable, Hashable, Sendable {
    public var id: CustomerID
    public var email: String

    public init(id: CustomerID, email: String) {
        self.id = id
        self.email = email
    }
}

/// One position of an order at the price that it was ordered for.
public struct OrderLine: Codable, Hashable, Sendable {
    public var sku: SKU
    public var quantity: Int
    public var unitPrice: Money

    public init(sku: SKU, quantity: Int, unitPrice: Money) {
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
    }
}

/// Why an order was cancelled. An open set: a consumer passes on words that it doesn't know.
public struct CancellationReason: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let outOfStock: CancellationReason = "out_of_stock"
    public static let paymentDeclined: CancellationReason = "payment_declined"
    public static let paymentTimeout: CancellationReason = "payment_timeout"
    public static let customerRequest: CancellationReason = "customer_request"
}

/// An order was accepted. Inventory reserves its stock.
public struct OrderPlaced: MessagePayload {
    public static let type = "shop.order.placed.v1"
    public var orderId: OrderID
    public var customer: Customer
    public var items: [OrderLine]
    public var total: Money

    public init(orderId: OrderID, customer: Customer, items: [OrderLine], total: Money) {
        self.orderId = orderId
        self.customer = customer
        self.items = items
        self.total = total
    }
}

/// Stock is reserved and the money is there. Inventory sells, email confirms, loyalty awards.
public struct OrderConfirmed: MessagePayload {
    public static let type = "shop.order.confirmed.v1"
    public var orderId: OrderID
    public var customer: Customer
    public var items: [OrderLine]
    public var total: Money

    public init(orderId: OrderID, customer: Customer, items: [OrderLine], total: Money) {
        self.orderId = orderId
        self.customer = customer
        self.items = items
        self.total = total
    }
}

/// The order came to nothing. Inventory releases what it holds for it, loyalty takes its points back.
public struct OrderCancelled: MessagePayload {
    public static let type = "shop.order.cancelled.v1"
    public var orderId: OrderID
    public var customer: Customer
    public var total: Money
    public var reason: CancellationReason
    /// Whether ``OrderConfirmed`` was sent before, which may arrive after this. Older events don't say.
    public var wasConfirmed: Bool?
    /// Where its goods were when they were stopped for it; `nil` if there was nothing to stop.
    public var stoppedShipment: ShipmentStatus?

    public init(
        orderId: OrderID, customer: Customer, total: Money, reason: CancellationReason, wasConfirmed: Bool? = nil,
        stoppedShipment: ShipmentStatus? = nil
    ) {
        self.orderId = orderId
        self.customer = customer
        self.total = total
        self.reason = reason
        self.wasConfirmed = wasConfirmed
        self.stoppedShipment = stoppedShipment
    }
}

/// A cancelled order had been charged after all, and the money went back.
public struct OrderRefunded: MessagePayload {
    public static let type = "shop.order.refunded.v1"
    public var orderId: OrderID
    public var customer: Customer
    public var total: Money

    public init(orderId: OrderID, customer: Customer, total: Money) {
        self.orderId = orderId
        self.customer = customer
        self.total = total
    }
}

/// The customer wanted a confirmed order cancelled, but its goods were on their way already.
public struct CancellationRefused: MessagePayload {
    public static let type = "shop.order.cancellation-refused.v1"
    public var orderId: OrderID
    public var customer: Customer
    /// How far its goods were; the news of that may arrive after this. Older events don't say.
    public var shipment: ShipmentStatus?

    public init(orderId: OrderID, customer: Customer, shipment: ShipmentStatus? = nil) {
        self.orderId = orderId
        self.customer = customer
        self.shipment = shipment
    }
}

/// The order service's delayed command to itself: cancel the order if it still waits for its money.
public struct CancelUnpaidOrder: MessagePayload {
    public static let type = "shop.order.cancel-unpaid.v1"
    public var orderId: OrderID

    public init(orderId: OrderID) { self.orderId = orderId }
}
