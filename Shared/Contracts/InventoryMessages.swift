/// All of an order's stock is held for it.
public struct StockReserved: MessagePayload {
    public static let type = "shop.stock.reserved.v1"
    public var orderId: OrderID

    public init(orderId: OrderID) { self.orderId = orderId }
}

/// At least one position is not there in the quantity that was ordered; nothing is held.
public struct StockRejected: MessagePayload {
    public static let type = "shop.stock.rejected.v1"
    public var orderId: OrderID
    public var shortages: [Shortage]

    /// A position that inventory can't serve.
    public struct Shortage: Codable, Hashable, Sendable {
        public var sku: SKU
        public var requested: Int
        public var available: Int

        public init(sku: SKU, requested: Int, available: Int) {
            self.sku = sku
            self.requested = requested
            self.available = available
        }
    }

    public init(orderId: OrderID, shortages: [Shortage]) {
        self.orderId = orderId
        self.shortages = shortages
    }
}

/// A product as it is now, whole (event-carried state transfer): who keeps a copy needs nothing else.
public struct ProductChanged: MessagePayload {
    public static let type = "shop.product.changed.v1"
    public var sku: SKU
    public var name: String
    public var price: Money
    /// Grows by one with each change; a copy takes over only a higher one, so that messages may arrive in any order.
    public var version: Int
    /// How many products there were when this was sent, so that who fills a copy knows when it is complete.
    public var catalogueSize: Int?

    public init(sku: SKU, name: String, price: Money, version: Int, catalogueSize: Int? = nil) {
        self.sku = sku
        self.name = name
        self.price = price
        self.version = version
        self.catalogueSize = catalogueSize
    }
}
