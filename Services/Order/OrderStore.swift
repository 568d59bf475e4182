import Contracts
import Foundation
import Logging
import Messaging
import Outbox
import Persistence
import Tracing

/// Tells those who follow an order that it has changed.
typealias OrderChanges = Changes<OrderID>

/// The order service's database: all of its SQL, as named transactions that keep it consistent.
struct OrderStore: Sendable {
    let database: any Database
    let outbox: Outbox
    let changes: OrderChanges
    let logger: Logger

    static let migrations = [
        Migration(
            "order-001",
            """
            CREATE TABLE orders (
                id TEXT PRIMARY KEY,
                customer_id TEXT NOT NULL,
                customer_email TEXT NOT NULL,
                total_minor_units INTEGER NOT NULL,
                currency TEXT NOT NULL,
                payment_method TEXT NOT NULL,
                correlation_id TEXT NOT NULL,
                status TEXT NOT NULL,
                reason TEXT)
            """,
            "CREATE INDEX orders_by_customer ON orders (customer_id, id)",
            """
            CREATE TABLE order_lines (
                order_id TEXT NOT NULL REFERENCES orders (id),
                position INTEGER NOT NULL,
                sku TEXT NOT NULL,
                quantity INTEGER NOT NULL,
                unit_price_minor_units INTEGER NOT NULL,
                PRIMARY KEY (order_id, position))
            """,
            """
            CREATE TABLE order_history (
                order_id TEXT NOT NULL REFERENCES orders (id),
                position INTEGER NOT NULL,
                status TEXT NOT NULL,
                at_ms INTEGER NOT NULL,
                PRIMARY KEY (order_id, position))
            """,
            """
            CREATE TABLE products (
                sku TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                price_minor_units INTEGER NOT NULL,
                currency TEXT NOT NULL,
                version INTEGER NOT NULL)
            """,
            """
            CREATE TABLE idempotency_keys (
                idempotency_key TEXT PRIMARY KEY,
                request_hash TEXT NOT NULL,
                order_id TEXT NOT NULL REFERENCES orders (id),
                created_at_ms INTEGER NOT NULL)
            """),
        Migration("order-002-catalogue-size", "ALTER TABLE products ADD COLUMN catalogue_size INTEGER"),
        Migration("order-003-cancellation", "ALTER TABLE orders ADD COLUMN cancellation_requested_at_ms INTEGER"),
        Migration("order-004-by-correlation", "CREATE INDEX orders_by_correlation ON orders (correlation_id, id)"),
    ]
}

// MARK: - Placing and following

extension OrderStore {
    /// A request that was made before, by its key.
    struct EarlierRequest: Sendable {
        let requestHash: String
        let order: Order
    }

    /// Stores a new order with its messages, unless the key has been used before.
    /// - Returns: the earlier request with that key, or `nil` if the order is new.
    func placeOrder(
        _ order: Order, idempotencyKey: String, requestHash: String, emitting messages: [OutgoingMessage],
        context: MessageContext
    ) async throws -> EarlierRequest? {
        try await database.write { transaction in
            if let earlier = try earlierRequest(idempotencyKey, in: transaction) { return earlier }
            try insert(order, in: transaction)
            try transaction.execute(
                """
                INSERT INTO idempotency_keys (idempotency_key, request_hash, order_id, created_at_ms)
                VALUES (\(idempotencyKey), \(requestHash), \(order.id), \(Date()))
                """)
            try outbox.append(messages, context: context, in: transaction)
            return nil
        }
    }

    func earlierRequest(_ idempotencyKey: String) async throws -> EarlierRequest? {
        try await database.read { try earlierRequest(idempotencyKey, in: $0) }
    }

    func order(_ id: OrderID) async throws -> Order? {
        try await database.read { try order(id, in: $0) }
    }

    /// A page of orders, the newest first.
    /// - Parameter before: the last order of the page before.
    func orders(
        customer: CustomerID?, status: Order.Status?, correlationID: String? = nil, before: OrderID?, limit: Int
    ) async throws -> [Order] {
        try await database.read { transaction in
            // Only what is asked for stands in the statement, so that the engine can use its indexes.
            var conditions: [SQL] = []
            if let customer { conditions.append("customer_id = \(customer)") }
            if let status { conditions.append("status = \(status)") }
            if let correlationID { conditions.append("correlation_id = \(correlationID)") }
            if let before { conditions.append("id < \(before)") }
            let ids: [OrderID] = try transaction.rows(
                "SELECT id FROM orders \(where: conditions) ORDER BY id DESC LIMIT \(limit)"
            ).map { try $0.get("id") }
            return try ids.compactMap { try order($0, in: transaction) }
        }
    }

    /// Lets the saga take one step with an order, once for each webhook.
    /// - Returns: whether the webhook is new.
    func advance(
        _ id: OrderID, webhook: String, context: MessageContext,
        _ step: @escaping @Sendable (inout Order, Date) throws -> [OutgoingMessage]
    ) async throws -> Bool {
        try await database.write { transaction in
            guard try Inbox.insert(webhook, consumer: "webhooks/payments", in: transaction) else { return false }
            try outbox.append(try advance(id, in: transaction, step), context: context, in: transaction)
            return true
        }
    }

    /// Lets the saga take one step with an order that a request asks for.
    /// - Returns: the order after it, or `nil` if there is none.
    func advance(
        _ id: OrderID, context: MessageContext,
        _ step: @escaping @Sendable (inout Order, Date) throws -> [OutgoingMessage]
    ) async throws -> Order? {
        try await database.write { transaction in
            guard try order(id, in: transaction) != nil else { return nil }
            try outbox.append(try advance(id, in: transaction, step), context: context, in: transaction)
            return try order(id, in: transaction)
        }
    }

    /// Lets the saga take one step with an order.
    /// - Throws: `Unprocessable` if there is no such order: only this service makes them, so none can come later.
    func advance(
        _ id: OrderID, in transaction: any Transaction,
        _ step: (inout Order, Date) throws -> [OutgoingMessage]
    ) throws -> [OutgoingMessage] {
        guard let before = try order(id, in: transaction) else {
            throw Unprocessable("There is no order '\(id)'.")
        }
        var after = before
        let messages = try step(&after, Date())
        if after != before { try update(after, from: before, in: transaction) }
        if after.status != before.status {
            let context = ServiceContext.current ?? .topLevel
            transaction.onCommit { [after] in SagaTelemetry.note(after, from: before.status, context: context) }
        }
        return messages
    }
}

// MARK: - The price list

extension OrderStore {
    /// What the order service knows of a product: inventory's events, kept.
    struct Product: Sendable {
        let name: String
        let price: Money
    }

    /// Takes over a product as inventory describes it, unless a later version is already here.
    func takeOver(_ product: ProductChanged, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO products (sku, name, price_minor_units, currency, version, catalogue_size)
            VALUES (\(product.sku), \(product.name), \(product.price.amountMinorUnits), \(product.price.currency),
                \(product.version), \(product.catalogueSize.sqlValue))
            ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_minor_units = excluded.price_minor_units,
                currency = excluded.currency, version = excluded.version, catalogue_size = excluded.catalogue_size
            WHERE excluded.version > products.version
            """)
        transaction.onCommit { [changes] in changes.changed(.priceList) }
    }

    func products(_ skus: [SKU]) async throws -> [SKU: Product] {
        try await database.read { transaction in
            let rows = try transaction.rows(
                "SELECT * FROM products WHERE sku IN (\(list: skus.map(\.rawValue)))")
            return Dictionary(
                uniqueKeysWithValues: try rows.map { row in
                    let price = Money(
                        amountMinorUnits: try row.get("price_minor_units"), currency: try row.get("currency"))
                    return (try row.get("sku"), Product(name: try row.get("name"), price: price))
                })
        }
    }

    /// Whether every product is here that inventory has told of. The events come one by one and in any order; an order
    /// must not be refused for a product whose turn hasn't come.
    func hasWholePriceList() async throws -> Bool {
        try await database.read { transaction in
            let row = try transaction.row(
                "SELECT COUNT(*) AS known, COALESCE(MAX(catalogue_size), 1) AS announced FROM products")
            guard let row else { return false }
            return try row.get("known", as: Int.self) >= row.get("announced", as: Int.self)
        }
    }
}

extension OrderID {
    /// Stands for the price list among those who wait for changes; no order has this id.
    static let priceList: OrderID = "price-list"
}

// MARK: - Records

extension OrderStore {
    private func insert(_ order: Order, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO orders (id, customer_id, customer_email, total_minor_units, currency, payment_method,
                correlation_id, status, reason)
            VALUES (\(order.id), \(order.customer.id), \(order.customer.email), \(order.total.amountMinorUnits),
                \(order.total.currency), \(order.paymentMethod), \(order.correlationID), \(order.status),
                \((order.reason?.rawValue).sqlValue))
            """)
        for (position, line) in order.lines.enumerated() {
            try transaction.execute(
                """
                INSERT INTO order_lines (order_id, position, sku, quantity, unit_price_minor_units)
                VALUES (\(order.id), \(position), \(line.sku), \(line.quantity), \(line.unitPrice.amountMinorUnits))
                """)
        }
        try insertHistory(of: order, from: 0, in: transaction)
    }

    private func update(_ order: Order, from before: Order, in transaction: any Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE orders SET status = \(order.status), reason = \((order.reason?.rawValue).sqlValue),
                cancellation_requested_at_ms = \(order.cancellationRequestedAt.sqlValue)
            WHERE id = \(order.id) AND status = \(before.status)
            """)
        // SQLite runs one writer at a time; an engine that doesn't must see that somebody else was quicker.
        guard changed == 1 else { throw ChangedMeanwhile(id: order.id) }
        try insertHistory(of: order, from: before.history.count, in: transaction)
        transaction.onCommit { [changes, logger] in
            changes.changed(order.id)
            logger.info(
                "an order moved on",
                metadata: [
                    "order_id": "\(order.id)", "from": "\(before.status)", "to": "\(order.status)",
                    "correlation_id": "\(order.correlationID)",
                ])
        }
    }

    private func insertHistory(of order: Order, from first: Int, in transaction: any Transaction) throws {
        for (position, step) in order.history.enumerated().dropFirst(first) {
            try transaction.execute(
                """
                INSERT INTO order_history (order_id, position, status, at_ms)
                VALUES (\(order.id), \(position), \(step.status), \(step.at))
                """)
        }
    }

    private func earlierRequest(_ key: String, in transaction: any Transaction) throws -> EarlierRequest? {
        guard
            let row = try transaction.row(
                "SELECT request_hash, order_id FROM idempotency_keys WHERE idempotency_key = \(key)"),
            let order = try order(row.get("order_id"), in: transaction)
        else { return nil }
        return EarlierRequest(requestHash: try row.get("request_hash"), order: order)
    }

    private func order(_ id: OrderID, in transaction: any Transaction) throws -> Order? {
        guard let row = try transaction.row("SELECT * FROM orders WHERE id = \(id)") else { return nil }
        let currency: String = try row.get("currency")
        let lines = try transaction.rows("SELECT * FROM order_lines WHERE order_id = \(id) ORDER BY position").map {
            OrderLine(
                sku: try $0.get("sku"), quantity: try $0.get("quantity"),
                unitPrice: Money(amountMinorUnits: try $0.get("unit_price_minor_units"), currency: currency))
        }
        let history = try transaction.rows(
            "SELECT * FROM order_history WHERE order_id = \(id) ORDER BY position"
        ).map { Order.Step(status: try $0.get("status"), at: try $0.get("at_ms")) }
        let reason: String? = try row.get("reason")
        return Order(
            id: id, customer: Customer(id: try row.get("customer_id"), email: try row.get("customer_email")),
            lines: lines, total: Money(amountMinorUnits: try row.get("total_minor_units"), currency: currency),
            paymentMethod: try row.get("payment_method"), correlationID: try row.get("correlation_id"),
            status: try row.get("status"), reason: reason.map(CancellationReason.init(rawValue:)),
            cancellationRequestedAt: try row.get("cancellation_requested_at_ms"), history: history)
    }
}

/// Two transactions wanted to move the same order; the one that gets this tries again.
struct ChangedMeanwhile: Error, CustomStringConvertible {
    let id: OrderID
    var description: String { "The order \(id) was changed by somebody else at the same moment." }
}
