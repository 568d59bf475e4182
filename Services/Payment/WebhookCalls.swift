import AsyncHTTPClient
import Contracts
import Foundation
import Messaging
import NIOCore
import Outbox
import Webhooks

/// The effect of telling order how a charge ended.
struct SendPaymentWebhook: Effect {
    static let kind = "payment-webhook"
    let webhook: PaymentWebhook
}

/// Sends webhooks to order, signed as Standard Webhooks says, until order has answered 2xx. Each attempt has the same
/// `webhook-id`, by which order recognises repeats, and a timestamp of its own.
struct WebhookCalls: Sendable {
    let http: HTTPClient
    let url: URL
    let secret: WebhookSecret

    /// Order answered, but not with 2xx.
    struct Refused: Error, CustomStringConvertible {
        let status: UInt
        var description: String { "The webhook's receiver answered \(status)." }
    }

    func register<C>(on sender: inout EffectSender<C>) {
        sender.on(SendPaymentWebhook.self) { effect, key in
            try await send(effect.webhook, id: key)
        } record: { _, _, _, _ in
            []
        }
    }

    private func send(_ webhook: PaymentWebhook, id: String) async throws {
        let body = Data(try ContractJSON.encode(webhook).utf8)
        let now = Date()
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = .POST
        request.headers = [
            "content-type": "application/json",
            WebhookSignature.Header.id: id,
            WebhookSignature.Header.timestamp: "\(Int64(now.timeIntervalSince1970))",
            WebhookSignature.Header.signature: WebhookSignature.sign(
                id: id, timestamp: now, body: body, secrets: [secret]),
        ]
        let context = MessageContext.current()
        request.headers.add(name: "x-correlation-id", value: context.correlationID)
        if let traceparent = context.traceparent { request.headers.add(name: "traceparent", value: traceparent) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await http.execute(request, timeout: .seconds(15))
        guard (200..<300).contains(response.status.code) else { throw Refused(status: response.status.code) }
    }
}
