/// The notification service's delayed command to itself: what is held back for the sake of its place in the order's life
/// has waited long enough and is told.
public struct TellAnyway: MessagePayload {
    public static let type = "shop.notification.tell-anyway.v1"
    public var orderId: OrderID
    /// Which step of the order's life it is, as notification names it.
    public var kind: String

    public init(orderId: OrderID, kind: String) {
        self.orderId = orderId
        self.kind = kind
    }
}
