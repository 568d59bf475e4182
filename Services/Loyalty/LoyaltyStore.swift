import Contracts
import Foundation
import Persistence

/// Loyalty's database: all of its SQL, as named transactions that keep it consistent.
struct LoyaltyStore: Sendable {
    let database: any Database

    static let migrations = [
        Migration(
            "loyalty-001",
            """
            CREATE TABLE points (
                order_id TEXT PRIMARY KEY,
                customer_id TEXT NOT NULL,
                points INTEGER NOT NULL,
                at_ms INTEGER NOT NULL)
            """,
            "CREATE INDEX points_by_customer ON points (customer_id, order_id)"),
        Migration("loyalty-002-reversals", "ALTER TABLE points ADD COLUMN reversed_at_ms INTEGER"),
    ]

    /// Gives points for an order, once.
    /// - Returns: all points of the customer after that, or `nil` if the order has had its points before or was
    ///   cancelled.
    func award(_ entry: PointsEntry, to customer: CustomerID, in transaction: any Transaction) throws -> Int64? {
        let inserted = try transaction.execute(
            """
            INSERT INTO points (order_id, customer_id, points, at_ms)
            VALUES (\(entry.orderID), \(customer), \(entry.points), \(entry.at))
            ON CONFLICT (order_id) DO NOTHING
            """)
        guard inserted == 1 else { return nil }
        return try balance(of: customer, in: transaction)
    }

    /// Takes the points of an order back, once. An order that isn't known is remembered as cancelled, so that its
    /// confirmation, should it arrive later, gives nothing.
    /// - Returns: how many points went, and all of the customer after that; `nil` if there were none to take.
    func reverse(
        _ order: OrderID, of customer: CustomerID, in transaction: any Transaction
    ) throws -> (points: Int64, balance: Int64)? {
        let row = try transaction.row("SELECT points, reversed_at_ms FROM points WHERE order_id = \(order)")
        guard let row else {
            try transaction.execute(
                """
                INSERT INTO points (order_id, customer_id, points, at_ms, reversed_at_ms)
                VALUES (\(order), \(customer), 0, \(Date()), \(Date()))
                """)
            return nil
        }
        let points: Int64 = try row.get("points")
        let reversedAt: Date? = try row.get("reversed_at_ms")
        guard reversedAt == nil else { return nil }
        try transaction.execute("UPDATE points SET reversed_at_ms = \(Date()) WHERE order_id = \(order)")
        return points == 0 ? nil : (points, try balance(of: customer, in: transaction))
    }

    /// A customer's points with a page of the entries, the oldest order first.
    func account(of customer: CustomerID, after order: OrderID?, limit: Int) async throws -> PointsAccount {
        try await database.read { transaction in
            let entries = try transaction.rows(
                """
                SELECT order_id, points, at_ms, reversed_at_ms FROM points
                WHERE customer_id = \(customer) AND order_id > \(order?.rawValue ?? "")
                ORDER BY order_id LIMIT \(limit)
                """
            ).map { row in
                PointsEntry(
                    orderID: try row.get("order_id"), points: try row.get("points"), at: try row.get("at_ms"),
                    reversedAt: try row.get("reversed_at_ms"))
            }
            return PointsAccount(
                customer: customer, points: try balance(of: customer, in: transaction), entries: entries)
        }
    }

    /// All points of a customer.
    func balance(of customer: CustomerID) async throws -> Int64 {
        try await database.read { try balance(of: customer, in: $0) }
    }

    private func balance(of customer: CustomerID, in transaction: any Transaction) throws -> Int64 {
        let row = try transaction.row(
            """
            SELECT COALESCE(SUM(points), 0) AS balance FROM points
            WHERE customer_id = \(customer) AND reversed_at_ms IS NULL
            """)
        return try row?.get("balance") ?? 0
    }
}
