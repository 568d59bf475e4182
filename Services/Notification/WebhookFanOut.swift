import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// Writes a webhook for each endpoint that wants to hear of an event, in the transaction that handles the event: it is
/// sent if and only if the event was handled.
struct WebhookFanOut: Sendable {
    let endpoints: WebhookEndpointStore
    let deliveries: WebhookDeliveryStore

    func send<Payload>(
        _ type: MerchantEvent, _ event: CloudEvent<Payload>, in transaction: any Transaction
    ) throws {
        let receivers = try endpoints.wanting(type, in: transaction)
        guard !receivers.isEmpty else { return }
        let body = try ContractJSON.encode(
            MerchantWebhook(type: type, timestamp: event.attributes.time, data: event.data))
        let context = MessageContext.current(causedBy: event.attributes)
        for receiver in receivers {
            try add(type, body, webhookID: Self.webhookID(event.id), to: receiver, context: context, in: transaction)
        }
    }

    /// Sends an endpoint something to see whether it works.
    func ping(_ endpoint: EndpointID, in transaction: any Transaction) throws -> DeliveryID {
        let now = Date()
        let body = try ContractJSON.encode(
            MerchantWebhook(type: .ping, timestamp: now, data: WebhookPing(endpointId: endpoint.rawValue)))
        return try add(
            .ping, body, webhookID: Self.webhookID(UUIDv7.make(at: now)), to: endpoint, context: .current(),
            in: transaction)
    }

    @discardableResult
    private func add(
        _ type: MerchantEvent, _ body: String, webhookID: String, to endpoint: EndpointID, context: MessageContext,
        in transaction: any Transaction
    ) throws -> DeliveryID {
        let now = Date()
        let delivery = WebhookDelivery(
            id: .make(at: now), endpointID: endpoint, webhookID: webhookID, type: type, body: body,
            correlationID: context.correlationID, createdAt: now)
        try deliveries.add(delivery, context: context, in: transaction)
        return delivery.id
    }

    /// Derived from the event's id. One that could not stand in a header, which no service of the shop makes, is replaced.
    private static func webhookID(_ event: String) -> String {
        let isSafe = event.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return "msg_" + (isSafe && (1...100).contains(event.utf8.count) ? event : UUIDv7.make())
    }
}
