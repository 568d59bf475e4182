import Foundation
import Persistence

/// Topics, subscriptions and the signing identity on disk.
extension BrokerStore {
    static let topicMigrations = [
        Migration(
            "broker-5-consent",
            "ALTER TABLE subscriptions ADD COLUMN region TEXT NOT NULL DEFAULT 'us-east-1'",
            "ALTER TABLE subscriptions ADD COLUMN state TEXT NOT NULL DEFAULT 'confirmed'",
            "ALTER TABLE subscriptions ADD COLUMN token TEXT",
            "ALTER TABLE subscriptions ADD COLUMN token_expires_at_ms INTEGER",
            "ALTER TABLE subscriptions ADD COLUMN was_authenticated INTEGER NOT NULL DEFAULT 1",
            "ALTER TABLE subscriptions ADD COLUMN guards_unsubscribe INTEGER NOT NULL DEFAULT 0"),
        Migration(
            "broker-6-signing",
            "CREATE TABLE signing_identity (private_key TEXT NOT NULL, certificate TEXT NOT NULL)"),
    ]

    // MARK: Topics

    func topics(_ transaction: any Transaction) throws -> [Topics.Topic] {
        let subscriptions = Dictionary(
            grouping: try transaction.rows("SELECT * FROM subscriptions ORDER BY created_at_ms, id").map(subscription),
            by: \.topic)
        return try transaction.rows("SELECT * FROM topics ORDER BY name").map { row in
            try topic(row, subscriptions: subscriptions[row.get("name")] ?? [])
        }
    }

    func topic(named name: String, _ transaction: any Transaction) throws -> Topics.Topic? {
        guard let row = try transaction.row("SELECT * FROM topics WHERE name = \(name)") else { return nil }
        let subscriptions = try transaction.rows(
            "SELECT * FROM subscriptions WHERE topic = \(name) ORDER BY created_at_ms, id")
        return try topic(row, subscriptions: subscriptions.map(subscription))
    }

    func insert(_ topic: Topics.Topic, now: Milliseconds, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO topics (name, attributes, tags, created_at_ms)
            VALUES (\(topic.name), \(Self.json(topic.attributes.values)), \(Self.json(topic.tags)), \(now))
            """)
    }

    func update(_ topic: Topics.Topic, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE topics SET attributes = \(Self.json(topic.attributes.values)), tags = \(Self.json(topic.tags))
            WHERE name = \(topic.name)
            """)
    }

    func deleteTopic(_ name: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM topics WHERE name = \(name)")
    }

    private func topic(_ row: Row, subscriptions: [Subscription]) throws -> Topics.Topic {
        Topics.Topic(
            name: try row.get("name"), attributes: try TopicAttributes(Self.dictionary(row.get("attributes"))),
            tags: try Self.dictionary(row.get("tags")), subscriptions: subscriptions)
    }

    // MARK: Subscriptions

    func subscription(_ id: String, _ transaction: any Transaction) throws -> Subscription? {
        try transaction.row("SELECT * FROM subscriptions WHERE id = \(id)").map(subscription)
    }

    func insert(_ subscription: Subscription, now: Milliseconds, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO subscriptions (id, topic, region, protocol, endpoint, attributes, created_at_ms)
            VALUES (\(subscription.id), \(subscription.topic), \(subscription.region), \(subscription.kind),
                \(subscription.endpoint), \(Self.json(subscription.attributes.values)), \(now))
            """)
        try update(subscription, transaction)
    }

    func update(_ subscription: Subscription, _ transaction: any Transaction) throws {
        let consent = subscription.consent
        try transaction.execute(
            """
            UPDATE subscriptions SET attributes = \(Self.json(subscription.attributes.values)),
                state = \(consent.state), token = \(consent.token),
                token_expires_at_ms = \(consent.tokenExpiresAt),
                was_authenticated = \(consent.wasAuthenticated),
                guards_unsubscribe = \(consent.guardsUnsubscribe)
            WHERE id = \(subscription.id)
            """)
    }

    func deleteSubscription(_ id: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM subscriptions WHERE id = \(id)")
    }

    private func subscription(_ row: Row) throws -> Subscription {
        let consent = Subscription.Consent(
            state: try row.get("state"), token: try row.get("token"),
            tokenExpiresAt: try row.get("token_expires_at_ms"), wasAuthenticated: try row.get("was_authenticated"),
            guardsUnsubscribe: try row.get("guards_unsubscribe"))
        return try Subscription(
            id: row.get("id"), topic: row.get("topic"), region: row.get("region"), kind: row.get("protocol"),
            endpoint: row.get("endpoint"),
            attributes: SubscriptionAttributes(Self.dictionary(row.get("attributes")), isStored: true),
            consent: consent)
    }

    // MARK: Signing

    /// The identity that is kept; a new one is made and kept if there is none.
    func signingIdentity() async throws -> SigningIdentity {
        try await database.write { transaction in
            if let row = try transaction.row("SELECT private_key, certificate FROM signing_identity") {
                return try SigningIdentity(
                    privateKeyPEM: row.get("private_key"), certificatePEM: row.get("certificate"))
            }
            let identity = try SigningIdentity.make(now: Date())
            try transaction.execute(
                """
                INSERT INTO signing_identity (private_key, certificate)
                VALUES (\(identity.privateKeyPEM), \(identity.certificatePEM))
                """)
            return identity
        }
    }

    // MARK: Deliveries

    /// Moves what could not be delivered to a dead-letter queue, where it begins anew.
    func moveUndelivered(
        _ sequence: Int64, from queue: QueueRecord, to target: Int64, now: Milliseconds, _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        let moved = try move([sequence], from: queue, to: target, now: now, transaction)
        try transaction.execute(
            """
            UPDATE messages SET receive_count = 0, first_received_at_ms = NULL, dead_letter_source = NULL
            WHERE sequence = \(sequence)
            """)
        return moved.map { message in
            var message = message
            message.receiveCount = 0
            message.firstReceivedAt = nil
            message.deadLetterSource = nil
            return message
        }
    }
}
