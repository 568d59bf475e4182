/// A customer got points for a confirmed order.
public struct PointsAwarded: MessagePayload {
    public static let type = "shop.points.awarded.v1"
    public var customerId: CustomerID
    public var orderId: OrderID
    public var points: Int64
    /// All points of the customer after this.
    public var balance: Int64

    public init(customerId: CustomerID, orderId: OrderID, points: Int64, balance: Int64) {
        self.customerId = customerId
        self.orderId = orderId
        self.points = points
        self.balance = balance
    }
}

/// Points were taken back, because their order was cancelled.
public struct PointsReversed: MessagePayload {
    public static let type = "shop.points.reversed.v1"
    public var customerId: CustomerID
    public var orderId: OrderID
    /// How many were taken, as a positive number.
    public var points: Int64
    /// All points of the customer after this.
    public var balance: Int64

    public init(customerId: CustomerID, orderId: OrderID, points: Int64, balance: Int64) {
        self.customerId = customerId
        self.orderId = orderId
        self.points = points
        self.balance = balance
    }
}
