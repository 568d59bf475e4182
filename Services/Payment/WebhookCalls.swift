import AsyncHTTPClient
import Contracts
import Foundation
import Logging
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
    let logger: Logger
    var now: @Sendable () -> Date = { Date() }

    /// Order answered, but not with 2xx.
    struct Refused: Error, CustomStringConvertible {
        let status: UInt
        var description: String { "The webhook's receiver answered \(status)." }

        /// Whether it is about the webhook itself, which stays as it is, and not about the moment.
        var isAboutWebhook: Bool { (400..<500).contains(status) && ![408, 425, 429].contains(status) }
    }

    /// What order refuses is tried as long as merchants' webhooks are: a wrong secret can be put right in that time.
    /// While order is away, or in trouble, there is no end.
    static let patience = RetrySchedule.standard.total

    func register<C>(on sender: inout EffectSender<C>) {
        sender.on(SendPaymentWebhook.self) { effect, key in
            do {
                try await send(effect.webhook, id: key)
            } catch let refused as Refused where isHopeless(refused, effect.webhook) {
                logger.error(
                    "order has refused a webhook for days, and it is given up; the charge must be looked into by hand",
                    metadata: [
                        "webhook_id": "\(key)", "order_id": "\(effect.webhook.data.orderId)",
                        "charge_id": "\(effect.webhook.data.chargeId)", "status": "\(refused.status)",
                    ])
            }
        } record: { _, _, _, _ in
            []
        }
    }

    private func isHopeless(_ refused: Refused, _ webhook: PaymentWebhook) -> Bool {
        refused.isAboutWebhook && now() >= webhook.timestamp.addingTimeInterval(Self.patience.inSeconds)
    }

    private func send(_ webhook: PaymentWebhook, id: String) async throws {
        let message = WebhookMessage(id: id, body: Data(try ContractJSON.encode(webhook).utf8))
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = .POST
        for (name, value) in message.headers(signedAt: now(), with: [secret]) {
            request.headers.add(name: name, value: value)
        }
        let context = MessageContext.current()
        request.headers.add(name: "x-correlation-id", value: context.correlationID)
        if let traceparent = context.traceparent { request.headers.add(name: "traceparent", value: traceparent) }
        request.body = .bytes(ByteBuffer(bytes: message.body))
        let response = try await http.execute(request, timeout: .seconds(15))
        guard (200..<300).contains(response.status.code) else { throw Refused(status: response.status.code) }
    }
}
