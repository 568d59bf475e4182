import Contracts
import Foundation
import Webhooks

/// A webhook as payment would send it.
struct SignedWebhook: Sendable {
    let id: String
    let body: Data
    let headers: [String: String]

    /// - Parameters:
    ///   - timestamp: when it was signed.
    ///   - secret: what it is signed with, `whsec_…`.
    init(
        _ webhook: PaymentWebhook, id: String = "msg_\(UUID().uuidString)", timestamp: Date = Date(), secret: String
    ) throws {
        guard let key = WebhookSecret(secret) else { throw SystemTestError("The webhook secret isn't one.") }
        self.id = id
        body = Data(try ContractJSON.encode(webhook).utf8)
        headers = [
            "Content-Type": "application/json", WebhookSignature.Header.id: id,
            WebhookSignature.Header.timestamp: "\(Int64(timestamp.timeIntervalSince1970))",
            WebhookSignature.Header.signature: WebhookSignature.sign(
                id: id, timestamp: timestamp, body: body, secrets: [key]),
        ]
    }

    func send(to shop: ShopAPI) async throws -> ShopAPI.Answer {
        try await shop.send(.post, .order, "/webhooks/payments", headers: headers, body: body)
    }
}
