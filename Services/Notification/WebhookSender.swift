import Contracts
import Foundation
import Logging
import Messaging
import Metrics
import Outbox
import Persistence
import Tracing
import Webhooks

/// Brings webhooks to their endpoints. Each endpoint is a lane of the effect sender's, so that one that is slow delays
/// no other; each attempt is written down in the transaction that decides how it goes on.
struct WebhookSender: Sendable {
    let endpoints: WebhookEndpointStore
    let deliveries: WebhookDeliveryStore
    let client: WebhookClient
    let patience: WebhookPatience
    let logger: Logger
    var now: @Sendable () -> Date = { Date() }

    /// How many webhooks are on their way at once, and how many of them to one endpoint.
    static let concurrency = 256
    static let perEndpoint = 4

    /// What came of taking up a delivery.
    private enum Outcome: Sendable {
        case tried(WebhookAttempt)
        /// Not tried: it isn't wanted any more, or not now, which is decided anew in the transaction.
        case skipped
    }

    func register<C>(on sender: inout EffectSender<C>) {
        sender.on(DeliverWebhook.self) { effect, attempt in
            try await perform(effect.deliveryID, attempt.number)
        } settle: { effect, outcome, attempt, transaction in
            try settle(effect.deliveryID, outcome, attempt.number, in: transaction)
        }
    }

    private func perform(_ id: DeliveryID, _ number: Int) async throws -> Outcome {
        let task = try await endpoints.database.read { transaction -> (WebhookDelivery, WebhookEndpoint)? in
            guard let delivery = try deliveries.find(id, in: transaction),
                let endpoint = try endpoints.find(delivery.endpointID, in: transaction)
            else { return nil }
            return (delivery, endpoint)
        }
        guard let (delivery, endpoint) = task, endpoint.mayBeSent(at: now()) else { return .skipped }
        let attempt = try await send(delivery, to: endpoint, number)
        logger.info(
            "sent a webhook",
            metadata: [
                "endpoint_id": "\(endpoint.id)", "webhook_id": "\(delivery.webhookID)", "attempt": "\(number)",
                "outcome": "\(attempt.result.word)",
            ])
        return .tried(attempt)
    }

    private func send(
        _ delivery: WebhookDelivery, to endpoint: WebhookEndpoint, _ number: Int
    ) async throws -> WebhookAttempt {
        let started = now()
        let clock = ContinuousClock.now
        let result = try await withSpan("POST webhook", ofKind: .client) { span -> WebhookAttempt.Result in
            span.attributes["shop.webhook.endpoint"] = endpoint.id.rawValue
            span.attributes["shop.webhook.id"] = delivery.webhookID
            do {
                let answer = try await client.post(
                    WebhookMessage(id: delivery.webhookID, body: Data(delivery.body.utf8)),
                    to: WebhookURL(endpoint.url),
                    attempt: number, secrets: endpoint.secrets(at: started),
                    headers: [("x-correlation-id", delivery.correlationID)])
                span.attributes["http.response.status_code"] = answer.status
                return .answered(answer)
            } catch {
                // Cut off by the end of the process: that is nothing that the endpoint did.
                try Task.checkCancellation()
                span.recordError(error)
                return .failed("\(error)")
            }
        }
        return WebhookAttempt(startedAt: started, duration: ContinuousClock.now - clock, result: result)
    }

    private func settle(
        _ id: DeliveryID, _ outcome: Outcome, _ number: Int, in transaction: any Transaction
    ) throws -> EffectVerdict {
        // Read anew: its owner may have changed it while the webhook was on its way.
        guard let delivery = try deliveries.find(id, in: transaction),
            var endpoint = try endpoints.find(delivery.endpointID, in: transaction)
        else { return .done([]) }
        guard case .tried(let attempt) = outcome else { return endpoint.pace(at: now()) }
        let before = endpoint
        let verdict = endpoint.judge(attempt.result, number: number, patience: patience, at: now())
        if endpoint != before { try endpoints.save(endpoint, in: transaction) }
        try deliveries.record(attempt, of: id, verdict, at: now(), in: transaction)
        transaction.onCommit { count(verdict) }
        switch verdict {
        case .delivered, .failed: return .done([])
        case .again(let date): return .again(at: date)
        case .disabled:
            try deliveries.giveUp(allOf: endpoint.id, at: now(), in: transaction)
            let news = TellEndpointOwner(
                endpointId: endpoint.id.rawValue, url: endpoint.url, ownerEmail: endpoint.ownerEmail,
                reason: endpoint.disabledReason ?? .failing, failingSince: endpoint.failingSince ?? now())
            transaction.onCommit { [logger, endpoint] in
                logger.warning(
                    "an endpoint is disabled, and its owner told",
                    metadata: ["endpoint_id": "\(endpoint.id)", "reason": "\(news.reason)"])
            }
            return .done([.command(news, to: .email, about: endpoint.id.rawValue)])
        }
    }

    private func count(_ verdict: WebhookEndpoint.Verdict) {
        let word =
            switch verdict {
            case .delivered: "delivered"
            case .again: "retried"
            case .failed: "failed"
            case .disabled: "disabled"
            }
        Counter(label: "webhook.attempts", dimensions: [("outcome", word)]).increment()
    }
}

extension WebhookEndpoint {
    fileprivate func mayBeSent(at time: Date) -> Bool { status == .active && (throttledUntil ?? .distantPast) <= time }

    /// When a delivery is taken up again that could not be sent.
    fileprivate func pace(at time: Date) -> EffectVerdict {
        switch status {
        case .active: .wait(until: max(throttledUntil ?? time, time))
        case .paused: .hold
        case .disabled: .done([])
        }
    }
}

extension WebhookAttempt.Result {
    /// For the log; what receivers say stays out of it.
    fileprivate var word: String {
        switch self {
        case .answered(let answer): "\(answer.status)"
        case .failed: "no answer"
        }
    }
}
