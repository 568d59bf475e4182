import Contracts
import Foundation
import Persistence

/// Notification's database: all of its SQL, as named transactions that keep it consistent.
struct NotificationStore: Sendable {
    let database: any Database

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
    ]

    /// Adds a line to its recipient's list.
    func add(_ notice: Notice, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO notifications (id, channel, customer_id, order_id, kind, text, at_ms)
            VALUES (\(notice.id), \(notice.recipient.channel), \(notice.recipient.customer), \(notice.orderID),
                \(notice.kind), \(notice.text), \(notice.at))
            """)
    }

    /// A page of a recipient's list in the order in which things happened.
    /// - Parameter after: the id of the last line of the page before.
    /// - Returns: `nil` if there is no such line.
    func notifications(
        of recipient: Recipient, after id: String?, limit: Int
    ) async throws -> [Notice]? {
        try await database.read { transaction in
            var last: Date = .distantPast
            if let id {
                guard let row = try transaction.row("SELECT at_ms FROM notifications WHERE id = \(id)") else {
                    return nil
                }
                last = try row.get("at_ms")
            }
            return try transaction.rows(
                """
                SELECT * FROM notifications
                WHERE channel = \(recipient.channel) AND customer_id = \(recipient.customer)
                    AND (at_ms > \(last) OR (at_ms = \(last) AND id > \(id ?? "")))
                ORDER BY at_ms, id LIMIT \(limit)
                """
            ).map { row in
                Notice(
                    id: try row.get("id"), recipient: recipient, orderID: try row.get("order_id"),
                    kind: try row.get("kind"), text: try row.get("text"), at: try row.get("at_ms"))
            }
        }
    }
}

extension Recipient {
    /// Whose part of the channel it is; a channel for one alone isn't divided.
    fileprivate var customer: CustomerID {
        switch self {
        case .customer(let id): id
        case .warehouse, .carrier: ""
        }
    }
}
