/// Where the goods of an order are. An open set: a consumer ignores words that it doesn't know.
public struct ShipmentStatus: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The warehouse has been told to pack.
    public static let preparing: ShipmentStatus = "preparing"
    /// Packed, and waiting for the carrier.
    public static let packed: ShipmentStatus = "packed"
    /// With the carrier: from here on nothing can be stopped.
    public static let shipped: ShipmentStatus = "shipped"
    public static let delivered: ShipmentStatus = "delivered"
    /// Stopped before it left; the goods are back in stock.
    public static let stopped: ShipmentStatus = "stopped"
}

/// The goods of an order have moved on. Customer, warehouse and carrier each hear of it in their own words.
public struct ShipmentStatusChanged: MessagePayload {
    public static let type = "shop.shipment.status-changed.v1"
    public var orderId: OrderID
    public var customerId: CustomerID
    public var status: ShipmentStatus
    /// Where they were before, the news of which may arrive after this. Older events don't say, and the first has none.
    public var previous: ShipmentStatus?

    public init(orderId: OrderID, customerId: CustomerID, status: ShipmentStatus, previous: ShipmentStatus? = nil) {
        self.orderId = orderId
        self.customerId = customerId
        self.status = status
        self.previous = previous
    }
}

/// Command to inventory: keep the goods of a confirmed order, if they are still there. It is answered by
/// ``ShipmentStopped`` or ``ShipmentNotStopped``.
public struct StopShipment: MessagePayload {
    public static let type = "shop.shipment.stop.v1"
    public var orderId: OrderID
    public var customerId: CustomerID

    public init(orderId: OrderID, customerId: CustomerID) {
        self.orderId = orderId
        self.customerId = customerId
    }
}

/// The goods of an order stay, and can be sold again.
public struct ShipmentStopped: MessagePayload {
    public static let type = "shop.shipment.stopped.v1"
    public var orderId: OrderID
    /// Where they were before; `nil` if they hadn't been told to go yet.
    public var previous: ShipmentStatus?

    public init(orderId: OrderID, previous: ShipmentStatus? = nil) {
        self.orderId = orderId
        self.previous = previous
    }
}

/// The goods of an order were on their way before they could be stopped.
public struct ShipmentNotStopped: MessagePayload {
    public static let type = "shop.shipment.not-stopped.v1"
    public var orderId: OrderID
    public var status: ShipmentStatus

    public init(orderId: OrderID, status: ShipmentStatus) {
        self.orderId = orderId
        self.status = status
    }
}
