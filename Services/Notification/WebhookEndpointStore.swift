import Contracts
import Foundation
import Persistence
import Webhooks

/// The endpoints: who wants to be told what, where, and signed with which secret.
struct WebhookEndpointStore: Sendable {
    let database: any Database

    static let migrations = [
        Migration(
            "notification-webhooks-001-endpoints",
            """
            CREATE TABLE webhook_endpoints (
                id TEXT PRIMARY KEY,
                url TEXT NOT NULL,
                event_types TEXT NOT NULL,
                description TEXT NOT NULL,
                owner_email TEXT NOT NULL,
                created_at_ms INTEGER NOT NULL,
                status TEXT NOT NULL,
                disabled_reason TEXT,
                failing_since_ms INTEGER,
                throttled_until_ms INTEGER,
                secret TEXT NOT NULL,
                previous_secret TEXT,
                previous_secret_expires_at_ms INTEGER)
            """)
    ]

    func add(_ endpoint: WebhookEndpoint) async throws {
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO webhook_endpoints (id, url, event_types, description, owner_email, created_at_ms, status,
                    secret)
                VALUES (\(endpoint.id), \(endpoint.url), \(endpoint.eventTypes.joined), \(endpoint.description),
                    \(endpoint.ownerEmail), \(endpoint.createdAt), \(endpoint.status), \(endpoint.secret.exposed))
                """)
        }
    }

    func endpoint(_ id: EndpointID) async throws -> WebhookEndpoint? {
        try await database.read { try find(id, in: $0) }
    }

    /// A page of the list, the oldest first.
    func endpoints(after id: EndpointID?, limit: Int) async throws -> [WebhookEndpoint] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT * FROM webhook_endpoints WHERE id > \(id ?? "") ORDER BY id LIMIT \(limit)"
            ).map { try WebhookEndpoint($0) }
        }
    }

    /// Changes an endpoint in one transaction.
    /// - Parameter and: what belongs to the change.
    /// - Returns: the endpoint after the change; `nil` if there is none.
    func change(
        _ id: EndpointID, _ change: @escaping @Sendable (inout WebhookEndpoint) throws -> Void,
        and then: @escaping @Sendable (WebhookEndpoint, any Transaction) throws -> Void = { _, _ in }
    ) async throws -> WebhookEndpoint? {
        try await database.write { transaction in
            guard var endpoint = try find(id, in: transaction) else { return nil }
            try change(&endpoint)
            try save(endpoint, in: transaction)
            try then(endpoint, transaction)
            return endpoint
        }
    }

    func find(_ id: EndpointID, in transaction: any Transaction) throws -> WebhookEndpoint? {
        try transaction.row("SELECT * FROM webhook_endpoints WHERE id = \(id)").map { try WebhookEndpoint($0) }
    }

    /// The endpoints that are to be told of a type of event.
    func wanting(_ type: MerchantEvent, in transaction: any Transaction) throws -> [EndpointID] {
        try transaction.rows(
            "SELECT * FROM webhook_endpoints WHERE status <> \(WebhookEndpoint.Status.disabled) ORDER BY id"
        ).map { try WebhookEndpoint($0) }.filter { $0.wants(type) }.map(\.id)
    }

    func save(_ endpoint: WebhookEndpoint, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE webhook_endpoints
            SET url = \(endpoint.url), event_types = \(endpoint.eventTypes.joined),
                description = \(endpoint.description), owner_email = \(endpoint.ownerEmail),
                status = \(endpoint.status), disabled_reason = \(endpoint.disabledReason?.rawValue),
                failing_since_ms = \(endpoint.failingSince), throttled_until_ms = \(endpoint.throttledUntil),
                secret = \(endpoint.secret.exposed), previous_secret = \(endpoint.previousSecret?.exposed),
                previous_secret_expires_at_ms = \(endpoint.previousSecretExpiresAt)
            WHERE id = \(endpoint.id)
            """)
    }

    /// Takes an endpoint away, and its delivery log with it.
    /// - Returns: whether there was one.
    func remove(_ id: EndpointID, in transaction: any Transaction) throws -> Bool {
        // The rows of its log, which go with it, are counted as well.
        try transaction.execute("DELETE FROM webhook_endpoints WHERE id = \(id)") > 0
    }
}

extension [MerchantEvent] {
    /// As it is stored: names are without spaces.
    fileprivate var joined: String { map(\.rawValue).joined(separator: " ") }
}

extension WebhookEndpoint {
    fileprivate init(_ row: Row) throws {
        let types: String = try row.get("event_types")
        let state = State(
            status: try row.get("status"),
            disabledReason: try row.get("disabled_reason", as: String?.self).map(WebhookDisabledReason.init(rawValue:)),
            failingSince: try row.get("failing_since_ms"), throttledUntil: try row.get("throttled_until_ms"),
            previousSecret: try row.get("previous_secret", as: String?.self).map(Self.secret),
            previousSecretExpiresAt: try row.get("previous_secret_expires_at_ms"))
        self.init(
            WebhookEndpoint(
                id: try row.get("id"), url: try row.get("url"),
                eventTypes: types.split(separator: " ").map { MerchantEvent(rawValue: String($0)) },
                description: try row.get("description"), ownerEmail: try row.get("owner_email"),
                secret: try Self.secret(try row.get("secret")), createdAt: try row.get("created_at_ms")),
            state)
    }

    private static func secret(_ text: String) throws -> WebhookSecret {
        guard let secret = WebhookSecret(text) else {
            throw DatabaseError.column("secret", reason: "it holds no secret")
        }
        return secret
    }
}
