import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// A line in the gateway's books.
struct LedgerEntry: Codable, Equatable, Sendable {
    enum Kind: String, Codable, Sendable {
        case charge, refund
    }

    enum Status: String, Codable, Sendable {
        case pending, succeeded, failed
    }

    let kind: Kind
    let chargeId: ChargeID
    let orderId: OrderID
    let status: Status
    let failureCode: String?
    let amountMinorUnits: Int64
    let currency: String
    let idempotencyKey: String
    let at: Date
}

/// The simulated gateway's own books, in a database that payment doesn't look into.
struct GatewayStore: Sendable {
    let database: any Database
    let effects: Effects

    static let migrations = [
        Migration(
            "gateway-001",
            """
            CREATE TABLE ledger (
                kind TEXT NOT NULL,
                idempotency_key TEXT NOT NULL,
                charge_id TEXT NOT NULL,
                order_id TEXT NOT NULL,
                status TEXT NOT NULL,
                failure_code TEXT,
                amount_minor_units INTEGER NOT NULL,
                currency TEXT NOT NULL,
                calls INTEGER NOT NULL,
                at_ms INTEGER NOT NULL,
                PRIMARY KEY (kind, idempotency_key))
            """,
            "CREATE INDEX ledger_by_order ON ledger (order_id)")
    ]

    /// Enters a charge, once for each key.
    /// - Parameter resultAt: when it is to be settled; `nil` is never.
    /// - Returns: how many calls with this key there have been.
    func book(
        _ request: GatewayCharge, idempotencyKey: String, context: MessageContext, resultAt: Date?
    ) async throws -> Int {
        try await database.write { transaction in
            let isNew =
                try transaction.execute(
                    """
                    INSERT INTO ledger (kind, idempotency_key, charge_id, order_id, status, amount_minor_units,
                        currency, calls, at_ms)
                    VALUES (\(LedgerEntry.Kind.charge), \(idempotencyKey), \(request.chargeID), \(request.orderID),
                        \(LedgerEntry.Status.pending), \(request.amount.amountMinorUnits),
                        \(request.amount.currency), 0, \(Date()))
                    ON CONFLICT (kind, idempotency_key) DO NOTHING
                    """) == 1
            if isNew, let resultAt {
                try effects.add(
                    SettleCharge(chargeId: request.chargeID, paymentMethod: request.paymentMethod),
                    key: request.chargeID.rawValue, dueAt: resultAt, context: context, in: transaction)
            }
            try transaction.execute(
                """
                UPDATE ledger SET calls = calls + 1
                WHERE kind = \(LedgerEntry.Kind.charge) AND idempotency_key = \(idempotencyKey)
                """)
            let row = try transaction.row(
                """
                SELECT calls FROM ledger
                WHERE kind = \(LedgerEntry.Kind.charge) AND idempotency_key = \(idempotencyKey)
                """)
            return try row?.get("calls") ?? 0
        }
    }

    /// Settles a charge once; asked again it says how it was settled.
    func settle(_ charge: ChargeID, as result: GatewayResult) async throws -> GatewayResult {
        let (status, code): (LedgerEntry.Status, String?) =
            switch result {
            case .succeeded: (.succeeded, nil)
            case .failed(let code): (.failed, code)
            }
        try await database.write { transaction in
            try transaction.execute(
                """
                UPDATE ledger SET status = \(status), failure_code = \(code.sqlValue), at_ms = \(Date())
                WHERE kind = \(LedgerEntry.Kind.charge) AND charge_id = \(charge)
                    AND status = \(LedgerEntry.Status.pending)
                """)
        }
        return result
    }

    /// Enters a refund, once for each key. Only money that was taken can be returned.
    func refund(_ charge: ChargeID, idempotencyKey: String) async throws {
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO ledger (kind, idempotency_key, charge_id, order_id, status, amount_minor_units, currency,
                    calls, at_ms)
                SELECT \(LedgerEntry.Kind.refund), \(idempotencyKey), charge_id, order_id, status, amount_minor_units,
                    currency, 1, \(Date())
                FROM ledger
                WHERE kind = \(LedgerEntry.Kind.charge) AND charge_id = \(charge)
                    AND status = \(LedgerEntry.Status.succeeded)
                ON CONFLICT (kind, idempotency_key) DO NOTHING
                """)
            let entry = try transaction.row(
                """
                SELECT charge_id FROM ledger
                WHERE kind = \(LedgerEntry.Kind.refund) AND idempotency_key = \(idempotencyKey)
                """)
            guard entry != nil else {
                throw GatewayUnavailable(description: "The gateway has no settled charge '\(charge)' to return.")
            }
        }
    }

    func entries(of order: OrderID) async throws -> [LedgerEntry] {
        try await database.read { transaction in
            try transaction.rows("SELECT * FROM ledger WHERE order_id = \(order) ORDER BY kind, at_ms").map { row in
                LedgerEntry(
                    kind: try row.get("kind"), chargeId: try row.get("charge_id"), orderId: try row.get("order_id"),
                    status: try row.get("status"),
                    failureCode: try row.get("failure_code"), amountMinorUnits: try row.get("amount_minor_units"),
                    currency: try row.get("currency"), idempotencyKey: try row.get("idempotency_key"),
                    at: try row.get("at_ms"))
            }
        }
    }
}
