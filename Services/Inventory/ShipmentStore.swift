import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// The shipments in inventory's database.
extension InventoryStore {
    static let shipmentMigrations = [
        Migration(
            "inventory-002-shipments",
            """
            CREATE TABLE shipments (
                order_id TEXT PRIMARY KEY REFERENCES reservations (order_id),
                customer_id TEXT NOT NULL,
                status TEXT NOT NULL,
                updated_at_ms INTEGER NOT NULL)
            """)
    ]

    func shipment(of order: OrderID) async throws -> Shipment? {
        try await database.read { try shipment(of: order, in: $0) }
    }

    /// The stock held for a confirmed order is sold, and its goods are to be sent.
    /// - Returns: the new shipment; `nil` if the order has one already.
    func sellAndShip(
        _ order: OrderID, to customer: CustomerID, in transaction: any Transaction
    ) throws -> Shipment? {
        try sell(order, in: transaction)
        guard try shipment(of: order, in: transaction) == nil else { return nil }
        let shipment = Shipment(orderID: order, customer: customer, status: .preparing, updatedAt: Date())
        try insert(shipment, in: transaction)
        return shipment
    }

    /// Notes the next step of a shipment with the event that tells of it.
    /// - Returns: the shipment after it; `nil` if the order has none.
    func moveShipment(
        of order: OrderID, to status: Shipment.Status, context: MessageContext
    ) async throws -> Shipment? {
        try await database.write { transaction in
            guard var shipment = try shipment(of: order, in: transaction) else { return nil }
            guard try shipment.move(to: status, at: Date()) else { return shipment }
            try update(shipment, in: transaction)
            try outbox.append([.inventoryEvent(shipment.event, order)], context: context, in: transaction)
            return shipment
        }
    }

    /// What became of the wish to stop a shipment.
    enum StopOutcome: Equatable {
        /// With the shipment, if that is news.
        case stopped(Shipment?)
        case tooLate(Shipment.Status)
    }

    /// Stops a shipment that hasn't left and takes its goods back into stock. The stop may overtake the order's
    /// confirmation; then the goods were only held, and are never sent.
    func stopShipment(
        of order: OrderID, to customer: CustomerID, in transaction: any Transaction
    ) throws -> StopOutcome {
        guard var shipment = try shipment(of: order, in: transaction) else {
            try takeBack(order, in: transaction)
            try insert(
                Shipment(orderID: order, customer: customer, status: .stopped, updatedAt: Date()), in: transaction)
            return .stopped(nil)
        }
        do {
            guard try shipment.stop(at: Date()) else { return .stopped(nil) }
        } catch {
            return .tooLate(error.from)
        }
        try takeBack(order, in: transaction)
        try update(shipment, in: transaction)
        return .stopped(shipment)
    }

    private func shipment(of order: OrderID, in transaction: any Transaction) throws -> Shipment? {
        try transaction.row("SELECT * FROM shipments WHERE order_id = \(order)").map { row in
            Shipment(
                orderID: order, customer: try row.get("customer_id"), status: try row.get("status"),
                updatedAt: try row.get("updated_at_ms"))
        }
    }

    private func insert(_ shipment: Shipment, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO shipments (order_id, customer_id, status, updated_at_ms)
            VALUES (\(shipment.orderID), \(shipment.customer), \(shipment.status), \(shipment.updatedAt))
            """)
    }

    private func update(_ shipment: Shipment, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE shipments SET status = \(shipment.status), updated_at_ms = \(shipment.updatedAt)
            WHERE order_id = \(shipment.orderID)
            """)
    }
}
