import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// A product as the file that a new database is filled from has it.
struct SeedProduct: Codable, Sendable {
    let sku: SKU
    let name: String
    let priceMinorUnits: Int64
    let currency: String
    let onHand: Int
}

/// A product of the catalogue with its stock.
struct Product: Equatable, Sendable {
    let sku: SKU
    let name: String
    let price: Money
    let version: Int
    let stock: Stock
}

/// Inventory's database: all of its SQL, as named transactions that keep it consistent.
struct InventoryStore: Sendable {
    let database: any Database
    let outbox: Outbox

    static let migrations =
        [
            Migration(
                "inventory-001",
                """
                CREATE TABLE products (
                    sku TEXT PRIMARY KEY,
                    name TEXT NOT NULL,
                    price_minor_units INTEGER NOT NULL,
                    currency TEXT NOT NULL,
                    version INTEGER NOT NULL,
                    on_hand INTEGER NOT NULL,
                    reserved INTEGER NOT NULL,
                    sold INTEGER NOT NULL,
                    CHECK (reserved >= 0 AND reserved <= on_hand))
                """,
                """
                CREATE TABLE reservations (
                    order_id TEXT PRIMARY KEY,
                    status TEXT NOT NULL)
                """,
                """
                CREATE TABLE reservation_lines (
                    order_id TEXT NOT NULL REFERENCES reservations (order_id),
                    sku TEXT NOT NULL REFERENCES products (sku),
                    quantity INTEGER NOT NULL,
                    PRIMARY KEY (order_id, sku))
                """)
        ] + shipmentMigrations

    /// Adds the products that aren't there yet and tells everyone of all of them. Telling at each start lets a copy
    /// that was lost fill up again; a copy that has the same version ignores it.
    func publishCatalogue(seed: [SeedProduct], context: MessageContext) async throws {
        try await database.write { transaction in
            for product in seed {
                try transaction.execute(
                    """
                    INSERT INTO products (sku, name, price_minor_units, currency, version, on_hand, reserved, sold)
                    VALUES (\(product.sku), \(product.name), \(product.priceMinorUnits), \(product.currency), 1,
                        \(product.onHand), 0, 0)
                    ON CONFLICT (sku) DO NOTHING
                    """)
            }
            let catalogue = try products(after: nil, limit: nil, in: transaction)
            let messages = catalogue.map { product in
                OutgoingMessage.event(
                    ProductChanged(
                        sku: product.sku, name: product.name, price: product.price, version: product.version,
                        catalogueSize: catalogue.count),
                    on: .inventoryEvents, about: product.sku.rawValue)
            }
            try outbox.append(messages, context: context, in: transaction)
        }
    }

    func product(_ sku: SKU) async throws -> Product? {
        try await database.read { try product(sku, in: $0) }
    }

    /// What there is of the products that are known, all at one moment.
    func stock(of skus: [SKU]) async throws -> [SKU: Stock] {
        try await database.read { transaction in
            var stock: [SKU: Stock] = [:]
            for sku in skus { stock[sku] = try product(sku, in: transaction)?.stock }
            return stock
        }
    }

    /// A page of the catalogue in the order of the SKUs.
    func products(after sku: SKU?, limit: Int) async throws -> [Product] {
        try await database.read { try products(after: sku, limit: limit, in: $0) }
    }
}

// MARK: - Reservations

extension InventoryStore {
    /// What became of the wish to hold stock.
    enum ReservationOutcome: Equatable {
        case held
        case short([StockRejected.Shortage])
        /// The order was cancelled before its placing arrived here, or this is a repeat.
        case alreadyKnown
    }

    /// Holds all lines of an order or none.
    func reserve(
        _ order: OrderID, _ lines: [OrderLine], in transaction: any Transaction
    ) throws -> ReservationOutcome {
        guard try reservation(order, in: transaction) == nil else { return .alreadyKnown }
        let shortages = try lines.compactMap { line in
            let available = try product(line.sku, in: transaction)?.stock.available ?? 0
            return available >= line.quantity
                ? nil
                : StockRejected.Shortage(sku: line.sku, requested: line.quantity, available: available)
        }
        guard shortages.isEmpty else {
            try insert(order, .refused, in: transaction)
            return .short(shortages)
        }
        try insert(order, .held, in: transaction)
        for line in lines {
            try transaction.execute(
                """
                INSERT INTO reservation_lines (order_id, sku, quantity)
                VALUES (\(order), \(line.sku), \(line.quantity))
                """)
            try transaction.execute(
                "UPDATE products SET reserved = reserved + \(line.quantity) WHERE sku = \(line.sku)")
        }
        return .held
    }

    /// The stock held for an order has left the warehouse.
    func sell(_ order: OrderID, in transaction: any Transaction) throws {
        try move(order, in: transaction) { try $0.sell() }
    }

    /// The stock held for an order can be ordered again. An order that isn't known is remembered as released, so that
    /// its placing, should it arrive later, holds nothing.
    func release(_ order: OrderID, in transaction: any Transaction) throws {
        guard try reservation(order, in: transaction) != nil else {
            return try insert(order, .released, in: transaction)
        }
        try move(order, in: transaction) { try $0.release() }
    }

    /// The goods of an order stay in the warehouse, sold or only held before.
    func takeBack(_ order: OrderID, in transaction: any Transaction) throws {
        try move(order, in: transaction) { try $0.takeBack() }
    }

    private func move(
        _ order: OrderID, in transaction: any Transaction, _ step: (inout Reservation) throws -> Reservation.Movement
    ) throws {
        guard var reservation = try reservation(order, in: transaction) else {
            throw Unprocessable("Nothing is held for the order '\(order)'.")
        }
        let movement = try step(&reservation)
        try transaction.execute(
            "UPDATE reservations SET status = \(reservation.status) WHERE order_id = \(order)")
        let lines = try transaction.rows("SELECT sku, quantity FROM reservation_lines WHERE order_id = \(order)")
        for line in lines {
            let sku: SKU = try line.get("sku")
            let quantity: Int = try line.get("quantity")
            switch movement {
            case .none: break
            case .release:
                try transaction.execute("UPDATE products SET reserved = reserved - \(quantity) WHERE sku = \(sku)")
            case .sell:
                try transaction.execute(
                    """
                    UPDATE products SET reserved = reserved - \(quantity), on_hand = on_hand - \(quantity),
                        sold = sold + \(quantity)
                    WHERE sku = \(sku)
                    """)
            case .putBack:
                try transaction.execute(
                    """
                    UPDATE products SET on_hand = on_hand + \(quantity), sold = sold - \(quantity) WHERE sku = \(sku)
                    """)
            }
        }
    }
}

// MARK: - Records

extension InventoryStore {
    private func insert(_ order: OrderID, _ status: Reservation.Status, in transaction: any Transaction) throws {
        try transaction.execute("INSERT INTO reservations (order_id, status) VALUES (\(order), \(status))")
    }

    private func reservation(_ order: OrderID, in transaction: any Transaction) throws -> Reservation? {
        try transaction.row("SELECT status FROM reservations WHERE order_id = \(order)").map { row in
            Reservation(orderID: order, status: try row.get("status"))
        }
    }

    private func product(_ sku: SKU, in transaction: any Transaction) throws -> Product? {
        try transaction.row("SELECT * FROM products WHERE sku = \(sku)").map { try Product($0) }
    }

    private func products(after sku: SKU?, limit: Int?, in transaction: any Transaction) throws -> [Product] {
        try transaction.rows(
            """
            SELECT * FROM products WHERE sku > \(sku?.rawValue ?? "") ORDER BY sku LIMIT \(limit ?? Int(Int32.max))
            """
        ).map { try Product($0) }
    }
}

extension Product {
    fileprivate init(_ row: Row) throws {
        self.init(
            sku: try row.get("sku"), name: try row.get("name"),
            price: Money(amountMinorUnits: try row.get("price_minor_units"), currency: try row.get("currency")),
            version: try row.get("version"),
            stock: Stock(
                onHand: try row.get("on_hand"), reserved: try row.get("reserved"), sold: try row.get("sold")))
    }
}
