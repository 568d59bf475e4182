import Contracts
import Foundation
import Webhooks

/// A delivery; made by notification. Later ones are greater.
struct DeliveryID: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }
    static func make(at time: Date = Date()) -> DeliveryID { DeliveryID(rawValue: "wd_" + UUIDv7.make(at: time)) }
}

/// One webhook on its way to one endpoint, and what has become of it: an entry of the delivery log.
struct WebhookDelivery: Equatable, Sendable {
    enum Status: String, CaseIterable, Sendable {
        /// To be sent, or sent again.
        case pending
        case delivered
        /// Given up. It can be sent again by hand.
        case failed
    }

    let id: DeliveryID
    let endpointID: EndpointID
    /// The `webhook-id`: one for each event, whoever it goes to and however often.
    let webhookID: String
    let type: MerchantEvent
    let body: String
    let correlationID: String
    let createdAt: Date
    var status = Status.pending
    /// How many attempts there were.
    var attempts = 0
    /// When it is tried again.
    var nextAttemptAt: Date?
    var settledAt: Date?
}

/// One attempt at a delivery.
struct WebhookAttempt: Equatable, Sendable {
    enum Result: Equatable, Sendable {
        case answered(WebhookAnswer)
        /// There was no answer, for this reason.
        case failed(String)
    }

    let startedAt: Date
    let duration: Duration
    let result: Result
}
