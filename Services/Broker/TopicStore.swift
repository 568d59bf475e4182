import Foundation
import Persistence

/// Topics and subscriptions on disk.
extension BrokerStore {
    func topics(_ transaction: any Transaction) throws -> [Topics.Topic] {
        let subscriptions = Dictionary(
            grouping: try transaction.rows("SELECT * FROM subscriptions ORDER BY created_at_ms, id").map(subscription),
            by: \.topic)
        return try transaction.rows("SELECT * FROM topics ORDER BY name").map { row in
            let name: String = try row.get("name")
            return Topics.Topic(
                name: name, attributes: try Self.dictionary(row.get("attributes")),
                subscriptions: subscriptions[name] ?? [])
        }
    }

    func topic(named name: String, _ transaction: any Transaction) throws -> Topics.Topic? {
        guard let row = try transaction.row("SELECT * FROM topics WHERE name = \(name)") else { return nil }
        let subscriptions = try transaction.rows("SELECT * FROM subscriptions WHERE topic = \(name)").map(subscription)
        return Topics.Topic(
            name: name, attributes: try Self.dictionary(row.get("attributes")), subscriptions: subscriptions)
    }

    func insert(
        _ topic: Topics.Topic, tags: [String: String], now: Milliseconds, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO topics (name, attributes, tags, created_at_ms)
            VALUES (\(topic.name), \(Self.json(topic.attributes)), \(Self.json(tags)), \(now))
            """)
    }

    func update(_ topic: Topics.Topic, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE topics SET attributes = \(Self.json(topic.attributes)) WHERE name = \(topic.name)")
    }

    func deleteTopic(_ name: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM topics WHERE name = \(name)")
    }

    func subscription(_ id: String, _ transaction: any Transaction) throws -> Subscription? {
        try transaction.row("SELECT * FROM subscriptions WHERE id = \(id)").map(subscription)
    }

    func insert(_ subscription: Subscription, now: Milliseconds, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO subscriptions (id, topic, protocol, endpoint, attributes, created_at_ms)
            VALUES (\(subscription.id), \(subscription.topic), \(Subscription.protocolName),
                \(subscription.endpoint), \(Self.json(subscription.attributes)), \(now))
            """)
    }

    func update(_ subscription: Subscription, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE subscriptions SET attributes = \(Self.json(subscription.attributes)) WHERE id = \(subscription.id)
            """)
    }

    func deleteSubscription(_ id: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM subscriptions WHERE id = \(id)")
    }

    private func subscription(_ row: Row) throws -> Subscription {
        try Subscription(
            id: row.get("id"), topic: row.get("topic"), endpoint: row.get("endpoint"),
            attributes: Self.dictionary(row.get("attributes")))
    }
}
