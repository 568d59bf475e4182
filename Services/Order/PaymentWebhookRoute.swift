import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Messaging
import Outbox
import ServiceKit
import Webhooks

/// `POST /webhooks/payments`: payment reports a result, at least once, signed as Standard Webhooks says. A webhook that
/// was handled before is answered like the first time and has no effect.
struct PaymentWebhookRoute: Sendable {
    let store: OrderStore
    let saga: OrderSaga
    let secret: WebhookSecret
    let logger: Logger

    func add(to router: Router<ShopRequestContext>) {
        router.post("/webhooks/payments", use: receive)
    }

    @Sendable private func receive(request: Request, context: ShopRequestContext) async throws -> Response {
        // The signature is over the bytes as they came, so nothing is parsed before it is verified.
        let body = Data(try await request.bytes().readableBytesView)
        let id = try verify(request.headers, body)
        let webhook: PaymentWebhook
        do {
            webhook = try ContractJSON.decode(from: String(decoding: body, as: UTF8.self))
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            throw Problem.malformed("The body isn't JSON; check its syntax.")
        } catch {
            throw Problem.invalid(field: nil, "The body isn't a payment webhook; see openapi.yaml.")
        }
        let isNew = try await apply(webhook, id: id)
        logger.info(
            isNew ? "handled a webhook" : "skipped a duplicate webhook",
            metadata: [
                "webhook_id": "\(id)", "type": "\(webhook.type.rawValue)", "order_id": "\(webhook.data.orderId)",
            ])
        return Response(status: .noContent)
    }

    private func apply(_ webhook: PaymentWebhook, id: String) async throws -> Bool {
        do {
            return try await store.advance(
                webhook.data.orderId, webhook: id, context: .current(), step(for: webhook.type))
        } catch is Unprocessable {
            throw Problem.invalid(field: "data.orderId", "There is no order '\(webhook.data.orderId)'.")
        } catch let refused as Order.TransitionRefused {
            throw Problem.conflict(refused.description)
        }
    }

    private func step(
        for type: PaymentWebhook.Kind
    ) -> @Sendable (inout Order, Date) throws -> [OutgoingMessage] {
        switch type {
        case .succeeded: { try saga.paymentSucceeded(&$0, at: $1) }
        case .failed: { try saga.paymentFailed(&$0, at: $1) }
        case .refunded: { try saga.paymentRefunded(&$0, at: $1) }
        }
    }

    private func verify(_ headers: HTTPFields, _ body: Data) throws -> String {
        do {
            return try WebhookSignature.verify(
                header: { name in HTTPField.Name(name).flatMap { headers[$0] } }, body: body, secret: secret,
                now: Date())
        } catch {
            let detail =
                switch error {
                case .malformed(let header): "The header \(header) is missing or malformed."
                case .outsideTolerance: "The webhook-timestamp is more than 5 minutes from now; sign it again."
                case .mismatch: "The webhook-signature doesn't match the body; check the secret."
                }
            // No scheme is registered for it; the word is the specification's name.
            throw Problem.unauthorized(detail, kind: "webhook-not-verified", challenge: "StandardWebhooks")
        }
    }
}
