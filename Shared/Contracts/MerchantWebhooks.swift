import Foundation

/// What merchants can be told of by webhook. These names are theirs: they stay when the shop's own events get a new
/// version.
public struct MerchantEvent: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let orderPlaced: MerchantEvent = "order.placed"
    public static let orderConfirmed: MerchantEvent = "order.confirmed"
    public static let orderCancelled: MerchantEvent = "order.cancelled"
    public static let orderRefunded: MerchantEvent = "order.refunded"
    public static let cancellationRefused: MerchantEvent = "order.cancellation_refused"
    public static let shipmentStatusChanged: MerchantEvent = "shipment.status_changed"
    public static let pointsAwarded: MerchantEvent = "points.awarded"
    public static let pointsReversed: MerchantEvent = "points.reversed"
    /// Sent when it is asked for, to see whether an endpoint works.
    public static let ping: MerchantEvent = "ping"

    /// Those that an endpoint can choose.
    public static let all: [MerchantEvent] = [
        .orderPlaced, .orderConfirmed, .orderCancelled, .orderRefunded, .cancellationRefused, .shipmentStatusChanged,
        .pointsAwarded, .pointsReversed,
    ]
}

/// The body of a webhook to a merchant, shaped as the Standard Webhooks specification recommends. The data is that of
/// the shop's event.
public struct MerchantWebhook<Payload: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
    public var type: MerchantEvent
    /// When it happened, which may be long before it is sent.
    public var timestamp: Date
    public var data: Payload

    public init(type: MerchantEvent, timestamp: Date, data: Payload) {
        self.type = type
        self.timestamp = timestamp
        self.data = data
    }
}

/// The data of ``MerchantEvent/ping``.
public struct WebhookPing: Codable, Equatable, Sendable {
    public var endpointId: String

    public init(endpointId: String) { self.endpointId = endpointId }
}
