import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// Payment's database: all of its SQL, as named transactions that keep it consistent.
struct PaymentStore: Sendable {
    let database: any Database
    let outbox: Outbox
    let effects: Effects

    static let migrations = [
        Migration(
            "payment-001",
            """
            CREATE TABLE charges (
                id TEXT PRIMARY KEY,
                order_id TEXT NOT NULL UNIQUE,
                amount_minor_units INTEGER NOT NULL,
                currency TEXT NOT NULL,
                payment_method TEXT NOT NULL,
                status TEXT NOT NULL,
                failure_code TEXT,
                correlation_id TEXT NOT NULL,
                created_at_ms INTEGER NOT NULL)
            """)
    ]

    /// There is no such charge.
    struct NotFound: Error, CustomStringConvertible {
        let description: String
    }

    /// Stores a charge and, with it, the wish to have it made at the gateway. An order is charged once.
    func request(_ charge: Charge, context: MessageContext, in transaction: any Transaction) throws {
        let inserted = try transaction.execute(
            """
            INSERT INTO charges (id, order_id, amount_minor_units, currency, payment_method, status, correlation_id,
                created_at_ms)
            VALUES (\(charge.id), \(charge.orderID), \(charge.amount.amountMinorUnits), \(charge.amount.currency),
                \(charge.paymentMethod), \(charge.status), \(context.correlationID), \(Date()))
            ON CONFLICT (order_id) DO NOTHING
            """)
        guard inserted == 1 else { return }
        try effects.add(
            ChargeAtGateway(chargeId: charge.id), key: charge.id.rawValue, context: context, in: transaction)
    }

    /// Takes the gateway's word for how a charge ended.
    func settle(_ id: ChargeID, _ result: GatewayResult) async throws {
        let current = MessageContext.current()
        try await database.write { transaction in
            var context = current
            context.correlationID = try correlationID(of: id, in: transaction)
            try settle(id, result, context: context, in: transaction)
        }
    }

    /// Takes the gateway's word for how a charge ended; news is told to order.
    func settle(
        _ id: ChargeID, _ result: GatewayResult, context: MessageContext, in transaction: any Transaction
    ) throws {
        var charge = try find(id, in: transaction)
        guard try charge.settle(result) else { return }
        try update(charge, in: transaction)
        let kind: PaymentWebhook.Kind =
            switch result {
            case .succeeded: .succeeded
            case .failed: .failed
            }
        try tellOrder(kind, charge, context: context, in: transaction)
    }

    /// Notes that an order's money is to go back and, with it, the wish to have the gateway do so.
    func startRefund(of order: OrderID, context: MessageContext, in transaction: any Transaction) throws {
        guard
            let row = try transaction.row("SELECT * FROM charges WHERE order_id = \(order)")
        else { throw Unprocessable("There is no charge for the order '\(order)'.") }
        var charge = try Charge(row)
        guard try charge.startRefund() else { return }
        try update(charge, in: transaction)
        try effects.add(
            RefundAtGateway(chargeId: charge.id), key: charge.id.rawValue, context: context, in: transaction)
    }

    /// Notes that the gateway has returned the money, and tells order.
    func finishRefund(of id: ChargeID, context: MessageContext, in transaction: any Transaction) throws {
        var charge = try find(id, in: transaction)
        try charge.finishRefund()
        try update(charge, in: transaction)
        try tellOrder(.refunded, charge, context: context, in: transaction)
    }

    func charge(_ id: ChargeID) async throws -> Charge {
        try await database.read { try find(id, in: $0) }
    }

    func charges(of order: OrderID) async throws -> [Charge] {
        try await database.read { transaction in
            try transaction.rows("SELECT * FROM charges WHERE order_id = \(order)").map { try Charge($0) }
        }
    }

    private func tellOrder(
        _ kind: PaymentWebhook.Kind, _ charge: Charge, context: MessageContext, in transaction: any Transaction
    ) throws {
        let result = PaymentWebhook.Result(
            orderId: charge.orderID, chargeId: charge.id, amount: charge.amount, failureCode: charge.failureCode)
        // A charge gets into a status once, so this names the webhook in all of its attempts.
        let id = "msg_\(charge.id)_\(charge.status.rawValue)"
        try effects.add(
            SendPaymentWebhook(webhook: PaymentWebhook(type: kind, timestamp: Date(), data: result)), key: id,
            context: context, in: transaction)
    }

    private func update(_ charge: Charge, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE charges SET status = \(charge.status), failure_code = \(charge.failureCode.sqlValue)
            WHERE id = \(charge.id)
            """)
    }

    private func find(_ id: ChargeID, in transaction: any Transaction) throws -> Charge {
        guard let row = try transaction.row("SELECT * FROM charges WHERE id = \(id)") else {
            throw NotFound(description: "There is no charge '\(id)'.")
        }
        return try Charge(row)
    }

    private func correlationID(of id: ChargeID, in transaction: any Transaction) throws -> String {
        guard let row = try transaction.row("SELECT correlation_id FROM charges WHERE id = \(id)") else {
            throw NotFound(description: "There is no charge '\(id)'.")
        }
        return try row.get("correlation_id")
    }
}

extension Charge {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row.get("id"), orderID: try row.get("order_id"),
            amount: Money(amountMinorUnits: try row.get("amount_minor_units"), currency: try row.get("currency")),
            paymentMethod: try row.get("payment_method"), status: try row.get("status"),
            failureCode: try row.get("failure_code"))
    }
}
