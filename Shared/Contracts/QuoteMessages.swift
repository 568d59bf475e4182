import Foundation

/// A day without a time, as `2026-03-04`.
public struct CalendarDay: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Question to inventory: are these there, and when would they leave?
public struct CheckAvailability: RequestPayload {
    public static let type = "shop.availability.check.v1"
    public typealias Reply = AvailabilityChecked
    public var items: [Item]

    /// What somebody thinks of ordering.
    public struct Item: Codable, Hashable, Sendable {
        public var sku: SKU
        public var quantity: Int

        public init(sku: SKU, quantity: Int) {
            self.sku = sku
            self.quantity = quantity
        }
    }

    public init(items: [Item]) { self.items = items }
}

/// Inventory's answer, true at the moment at which it was given: nothing is held.
public struct AvailabilityChecked: MessagePayload {
    public static let type = "shop.availability.checked.v1"
    /// Whether everything is there.
    public var isAvailable: Bool
    /// The day on which all of it can be sent together.
    public var shipsOn: CalendarDay
    public var items: [Item]

    /// What there is of a product.
    public struct Item: Codable, Hashable, Sendable {
        public var sku: SKU
        public var requested: Int
        public var available: Int

        public init(sku: SKU, requested: Int, available: Int) {
            self.sku = sku
            self.requested = requested
            self.available = available
        }
    }

    public init(isAvailable: Bool, shipsOn: CalendarDay, items: [Item]) {
        self.isAvailable = isAvailable
        self.shipsOn = shipsOn
        self.items = items
    }
}

/// Question to loyalty: what does this customer save on that total?
public struct CalculateDiscount: RequestPayload {
    public static let type = "shop.discount.calculate.v1"
    public typealias Reply = DiscountCalculated
    public var customerId: CustomerID
    public var total: Money

    public init(customerId: CustomerID, total: Money) {
        self.customerId = customerId
        self.total = total
    }
}

/// Loyalty's answer.
public struct DiscountCalculated: MessagePayload {
    public static let type = "shop.discount.calculated.v1"
    public var customerId: CustomerID
    /// The points that decide it.
    public var points: Int64
    public var percent: Int
    /// What is taken off the total.
    public var amount: Money

    public init(customerId: CustomerID, points: Int64, percent: Int, amount: Money) {
        self.customerId = customerId
        self.points = points
        self.percent = percent
        self.amount = amount
    }
}

/// Question to payment: what does it cost to pay that total by this method?
public struct CalculateFee: RequestPayload {
    public static let type = "shop.fee.calculate.v1"
    public typealias Reply = FeeCalculated
    public var paymentMethod: PaymentMethod
    public var total: Money

    public init(paymentMethod: PaymentMethod, total: Money) {
        self.paymentMethod = paymentMethod
        self.total = total
    }
}

/// Payment's answer.
public struct FeeCalculated: MessagePayload {
    public static let type = "shop.fee.calculated.v1"
    public var paymentMethod: PaymentMethod
    /// What comes on top of the total.
    public var amount: Money

    public init(paymentMethod: PaymentMethod, amount: Money) {
        self.paymentMethod = paymentMethod
        self.amount = amount
    }
}
