import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import Webhooks

/// The effect of bringing a webhook to its endpoint.
struct DeliverWebhook: Effect {
    static let kind = "deliver-webhook"
    let deliveryID: DeliveryID
}

/// The delivery log: what was sent to whom, each attempt at it, and what is still to be sent.
struct WebhookDeliveryStore: Sendable {
    let database: any Database
    let effects: Effects

    /// What is settled is forgotten after this.
    static let retention: TimeInterval = 30 * 24 * 3600

    static let migrations = [
        Migration(
            "notification-webhooks-002-deliveries",
            """
            CREATE TABLE webhook_deliveries (
                id TEXT PRIMARY KEY,
                endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
                webhook_id TEXT NOT NULL,
                type TEXT NOT NULL,
                body TEXT NOT NULL,
                correlation_id TEXT NOT NULL,
                created_at_ms INTEGER NOT NULL,
                status TEXT NOT NULL,
                attempts INTEGER NOT NULL,
                next_attempt_at_ms INTEGER,
                settled_at_ms INTEGER)
            """,
            "CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, id)",
            "CREATE INDEX webhook_deliveries_by_status ON webhook_deliveries (endpoint_id, status, id)",
            """
            CREATE TABLE webhook_attempts (
                delivery_id TEXT NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
                number INTEGER NOT NULL,
                started_at_ms INTEGER NOT NULL,
                duration_ms INTEGER NOT NULL,
                status INTEGER,
                answer_start TEXT,
                error TEXT,
                PRIMARY KEY (delivery_id, number))
            """)
    ]

    /// Writes a webhook down and, with it, the wish to have it delivered.
    func add(_ delivery: WebhookDelivery, context: MessageContext, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO webhook_deliveries (id, endpoint_id, webhook_id, type, body, correlation_id, created_at_ms,
                status, attempts, next_attempt_at_ms)
            VALUES (\(delivery.id), \(delivery.endpointID), \(delivery.webhookID), \(delivery.type), \(delivery.body),
                \(delivery.correlationID), \(delivery.createdAt), \(delivery.status), 0, \(delivery.createdAt))
            """)
        try want(delivery.id, of: delivery.endpointID, context: context, in: transaction)
        // With each new entry the old ones of its endpoint go, so that the log doesn't grow without bound.
        let oldest = DeliveryID.make(at: delivery.createdAt.addingTimeInterval(-Self.retention))
        try transaction.execute(
            """
            DELETE FROM webhook_deliveries
            WHERE endpoint_id = \(delivery.endpointID) AND id < \(oldest)
                AND status <> \(WebhookDelivery.Status.pending)
            """)
    }

    func find(_ id: DeliveryID, in transaction: any Transaction) throws -> WebhookDelivery? {
        try transaction.row("SELECT * FROM webhook_deliveries WHERE id = \(id)").map { try WebhookDelivery($0) }
    }

    /// Writes an attempt down, and what has become of the delivery with it.
    func record(
        _ attempt: WebhookAttempt, of id: DeliveryID, _ verdict: WebhookEndpoint.Verdict, at now: Date,
        in transaction: any Transaction
    ) throws {
        let (status, next): (WebhookDelivery.Status, Date?) =
            switch verdict {
            case .delivered: (.delivered, nil)
            case .again(let date): (.pending, date)
            case .failed, .disabled: (.failed, nil)
            }
        let (code, start, error): (Int?, String?, String?) =
            switch attempt.result {
            case .answered(let answer): (answer.status, answer.start, nil)
            case .failed(let reason): (nil, nil, reason)
            }
        try transaction.execute(
            """
            UPDATE webhook_deliveries
            SET status = \(status), attempts = attempts + 1, next_attempt_at_ms = \(next),
                settled_at_ms = \(status == .pending ? nil : now)
            WHERE id = \(id)
            """)
        try transaction.execute(
            """
            INSERT INTO webhook_attempts (delivery_id, number, started_at_ms, duration_ms, status, answer_start, error)
            SELECT id, attempts, \(attempt.startedAt), \(Int64(attempt.duration.seconds * 1000)), \(code), \(start),
                \(error)
            FROM webhook_deliveries WHERE id = \(id)
            """)
    }

    /// Gives up all that waits for an endpoint.
    func giveUp(allOf endpoint: EndpointID, at now: Date, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE webhook_deliveries
            SET status = \(WebhookDelivery.Status.failed), next_attempt_at_ms = NULL, settled_at_ms = \(now)
            WHERE endpoint_id = \(endpoint) AND status = \(WebhookDelivery.Status.pending)
            """)
        try effects.remove(lane: endpoint.rawValue, in: transaction)
    }

    /// Takes an endpoint away with its log and with what was to be sent to it.
    /// - Returns: whether there was one.
    func removeEndpoint(_ id: EndpointID, from endpoints: WebhookEndpointStore) async throws -> Bool {
        try await database.write { transaction in
            try effects.remove(lane: id.rawValue, in: transaction)
            return try endpoints.remove(id, in: transaction)
        }
    }

    /// Lets go what was held back while an endpoint was paused.
    func release(_ endpoint: EndpointID, in transaction: any Transaction) throws {
        try effects.release(lane: endpoint.rawValue, in: transaction)
    }

    /// Sends a delivery again, whatever has become of it; one that waits for its next attempt is sent now.
    func redeliver(
        _ id: DeliveryID, of endpoint: EndpointID, context: MessageContext, in transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE webhook_deliveries
            SET status = \(WebhookDelivery.Status.pending), next_attempt_at_ms = \(Date()), settled_at_ms = NULL
            WHERE id = \(id)
            """)
        try want(id, of: endpoint, context: context, in: transaction)
        try effects.hurry(DeliverWebhook.self, key: id.rawValue, in: transaction)
    }

    /// The oldest deliveries that were given up, of events since a time.
    func failed(
        of endpoint: EndpointID, since time: Date, limit: Int, in transaction: any Transaction
    ) throws -> [DeliveryID] {
        try transaction.rows(
            """
            SELECT id FROM webhook_deliveries
            WHERE endpoint_id = \(endpoint) AND status = \(WebhookDelivery.Status.failed) AND created_at_ms >= \(time)
            ORDER BY id LIMIT \(limit)
            """
        ).map { try $0.get("id") }
    }

    private func want(
        _ id: DeliveryID, of endpoint: EndpointID, context: MessageContext, in transaction: any Transaction
    ) throws {
        try effects.add(
            DeliverWebhook(deliveryID: id), key: id.rawValue, lane: endpoint.rawValue, context: context, in: transaction
        )
    }
}

// MARK: - Reading

extension WebhookDeliveryStore {
    /// A page of an endpoint's log, the newest first.
    func deliveries(
        of endpoint: EndpointID, status: WebhookDelivery.Status?, before id: DeliveryID?, limit: Int
    ) async throws -> [WebhookDelivery] {
        try await database.read { transaction in
            var conditions: [SQL] = ["endpoint_id = \(endpoint)"]
            if let status { conditions.append("status = \(status)") }
            if let id { conditions.append("id < \(id)") }
            return try transaction.rows(
                "SELECT * FROM webhook_deliveries \(where: conditions) ORDER BY id DESC LIMIT \(limit)"
            ).map { try WebhookDelivery($0) }
        }
    }

    /// A delivery with its attempts, of which the last are kept.
    func entry(
        _ id: DeliveryID, mostAttempts: Int
    ) async throws -> (delivery: WebhookDelivery, attempts: [WebhookAttempt])? {
        try await database.read { transaction in
            guard let delivery = try find(id, in: transaction) else { return nil }
            let attempts = try transaction.rows(
                """
                SELECT * FROM webhook_attempts WHERE delivery_id = \(id) ORDER BY number DESC LIMIT \(mostAttempts)
                """
            ).map { try WebhookAttempt($0) }
            return (delivery, attempts.reversed())
        }
    }
}

extension WebhookDelivery {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row.get("id"), endpointID: try row.get("endpoint_id"), webhookID: try row.get("webhook_id"),
            type: try row.get("type"), body: try row.get("body"), correlationID: try row.get("correlation_id"),
            createdAt: try row.get("created_at_ms"), status: try row.get("status"), attempts: try row.get("attempts"),
            nextAttemptAt: try row.get("next_attempt_at_ms"), settledAt: try row.get("settled_at_ms"))
    }
}

extension WebhookAttempt {
    fileprivate init(_ row: Row) throws {
        let status: Int? = try row.get("status")
        let result: Result =
            if let status {
                .answered(WebhookAnswer(status: status, start: try row.get("answer_start")))
            } else {
                .failed(try row.get("error"))
            }
        self.init(
            startedAt: try row.get("started_at_ms"),
            duration: .milliseconds(try row.get("duration_ms", as: Int64.self)),
            result: result)
    }
}
