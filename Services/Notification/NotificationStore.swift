import Contracts
import Foundation
import Outbox
import Persistence

/// Notification's database: all of its SQL, as named transactions that keep it consistent.
struct NotificationStore: Sendable {
    let database: any Database
    /// Tells those who follow a recipient's list that it has become longer.
    let changes: Changes<Recipient>

    init(database: any Database) {
        self.database = database
        changes = Changes(lookingEvery: database.lookInterval)
    }

    static let migrations = [
        Migration(
            "notification-001",
            """
            CREATE TABLE notifications (
                id TEXT PRIMARY KEY,
                customer_id TEXT NOT NULL,
                order_id TEXT NOT NULL,
                kind TEXT NOT NULL,
                text TEXT NOT NULL,
                at_ms INTEGER NOT NULL)
            """,
            "CREATE INDEX notifications_by_customer ON notifications (customer_id, at_ms, id)"),
        Migration(
            "notification-002-channels",
            "ALTER TABLE notifications ADD COLUMN channel TEXT NOT NULL DEFAULT 'customer'",
            "DROP INDEX notifications_by_customer",
            "CREATE INDEX notifications_by_recipient ON notifications (channel, customer_id, at_ms, id)"),
        Migration(
            "notification-003-positions",
            "ALTER TABLE notifications ADD COLUMN follows TEXT NOT NULL DEFAULT ''",
            // NULL as long as the line is held back.
            "ALTER TABLE notifications ADD COLUMN position INTEGER",
            """
            UPDATE notifications SET position = (
                SELECT COUNT(*) FROM notifications AS earlier
                WHERE earlier.channel = notifications.channel AND earlier.customer_id = notifications.customer_id
                    AND (earlier.at_ms < notifications.at_ms
                        OR (earlier.at_ms = notifications.at_ms AND earlier.id <= notifications.id)))
            """,
            "DROP INDEX notifications_by_recipient",
            "CREATE UNIQUE INDEX notifications_by_position ON notifications (channel, customer_id, position)",
            "CREATE INDEX notifications_by_order ON notifications (order_id)",
            """
            CREATE TABLE lists (
                channel TEXT NOT NULL,
                customer_id TEXT NOT NULL,
                last_position INTEGER NOT NULL,
                PRIMARY KEY (channel, customer_id))
            """,
            """
            INSERT INTO lists (channel, customer_id, last_position)
            SELECT channel, customer_id, MAX(position) FROM notifications GROUP BY channel, customer_id
            """),
    ]
}

// MARK: - Telling

extension NotificationStore {
    /// Takes in the lines of a step in an order's life, and appends to their lists what can be told now.
    /// - Returns: whether they have to wait for something that comes before them.
    func add(_ notices: [Notice], as step: Story.Step, in transaction: any Transaction) throws -> Bool {
        guard let order = notices.first?.orderID else { return false }
        var story = try story(of: order, in: transaction)
        for notice in notices {
            try transaction.execute(
                """
                INSERT INTO notifications (id, channel, customer_id, order_id, kind, follows, text, at_ms)
                VALUES (\(notice.id), \(notice.recipient.channel), \(notice.recipient.customer), \(order),
                    \(notice.kind), \(step.follows.map(\.rawValue).sorted().joined(separator: " ")), \(notice.text),
                    \(notice.at))
                """)
        }
        let due = story.hear(step)
        for kind in due { try append(kind, of: order, in: transaction) }
        return due.isEmpty
    }

    /// Tells what is held back, whatever it waits for.
    /// - Returns: whether it was held back.
    func stopHoldingBack(_ kind: Notice.Kind, of order: OrderID, in transaction: any Transaction) throws -> Bool {
        var story = try story(of: order, in: transaction)
        let due = story.stopWaiting(with: kind)
        for kind in due { try append(kind, of: order, in: transaction) }
        return !due.isEmpty
    }

    private func story(of order: OrderID, in transaction: any Transaction) throws -> Story {
        var told: Set<Notice.Kind> = []
        var heldBack: [Story.Step] = []
        let rows = try transaction.rows(
            "SELECT kind, follows, position FROM notifications WHERE order_id = \(order) ORDER BY at_ms, id")
        for row in rows {
            let kind: Notice.Kind = try row.get("kind")
            if try row.get("position", as: Int64?.self) != nil {
                told.insert(kind)
                continue
            }
            let follows = try row.get("follows", as: String.self).split(separator: " ").compactMap {
                Notice.Kind(rawValue: String($0))
            }
            heldBack.append(Story.Step(kind: kind, follows: Set(follows)))
        }
        return Story(told: told, heldBack: heldBack)
    }

    /// Appends the lines of a step to their lists.
    private func append(_ kind: Notice.Kind, of order: OrderID, in transaction: any Transaction) throws {
        let rows = try transaction.rows(
            """
            SELECT id, channel, customer_id FROM notifications
            WHERE order_id = \(order) AND kind = \(kind) AND position IS NULL ORDER BY at_ms, id
            """)
        for row in rows {
            let recipient = try Recipient(row)
            // The row of the list is locked until the commit, so that positions become visible in their order, whoever
            // else writes: a reader who has seen one never misses a lower one.
            let next = try transaction.row(
                """
                INSERT INTO lists (channel, customer_id, last_position)
                VALUES (\(recipient.channel), \(recipient.customer), 1)
                ON CONFLICT (channel, customer_id) DO UPDATE SET last_position = lists.last_position + 1
                RETURNING last_position
                """)
            try transaction.execute(
                """
                UPDATE notifications SET position = \(try next?.get("last_position", as: Int64.self))
                WHERE id = \(try row.get("id", as: String.self))
                """)
            transaction.onCommit { [changes] in changes.changed(recipient) }
        }
    }
}

// MARK: - Reading

extension NotificationStore {
    /// A line with its place in its recipient's list.
    struct Entry: Equatable, Sendable {
        let position: Int64
        let notice: Notice
    }

    /// The position of a line in a recipient's list, 0 for none: what comes after it hasn't been read by somebody who
    /// has read as far as that line.
    /// - Returns: `nil` if the list has no such line.
    func position(of id: String?, in recipient: Recipient) async throws -> Int64? {
        guard let id else { return 0 }
        return try await database.read { transaction in
            try transaction.row(
                """
                SELECT position FROM notifications
                WHERE id = \(id) AND channel = \(recipient.channel) AND customer_id = \(recipient.customer)
                    AND position IS NOT NULL
                """
            )?.get("position")
        }
    }

    /// The next lines of a recipient's list, in the order in which they were told: of each order, that of its life.
    func entries(of recipient: Recipient, after position: Int64, limit: Int) async throws -> [Entry] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM notifications
                WHERE channel = \(recipient.channel) AND customer_id = \(recipient.customer) AND position > \(position)
                ORDER BY position LIMIT \(limit)
                """
            ).map { row in
                Entry(
                    position: try row.get("position"),
                    notice: Notice(
                        id: try row.get("id"), recipient: recipient, orderID: try row.get("order_id"),
                        kind: try row.get("kind"), text: try row.get("text"), at: try row.get("at_ms")))
            }
        }
    }
}

extension Recipient {
    fileprivate init(_ row: Row) throws {
        switch try row.get("channel", as: String.self) {
        case Recipient.warehouse.channel: self = .warehouse
        case Recipient.carrier.channel: self = .carrier
        default: self = .customer(try row.get("customer_id"))
        }
    }

    /// Whose part of the channel it is; a channel for one alone isn't divided.
    fileprivate var customer: CustomerID {
        switch self {
        case .customer(let id): id
        case .warehouse, .carrier: ""
        }
    }
}
