import Contracts
import Foundation
import Logging
import Messaging
import Outbox

/// A payment gateway that moves no money but is otherwise as awkward as a real one: it keeps books of its own, knows
/// repeated calls by their idempotency keys, answers later and sometimes twice, and breaks down in between. What it does
/// depends on the payment method; see `PaymentMethod`.
struct SimulatedGateway: PaymentGateway {
    /// How long it takes for a result.
    struct Behaviour: Sendable {
        var delay: Duration
        /// For `pm_slow`.
        var slowDelay: Duration
    }

    let store: GatewayStore
    let behaviour: Behaviour
    let logger: Logger
    /// Where results go, at least once each.
    let report: @Sendable (ChargeID, GatewayResult) async throws -> Void

    /// How many calls about a `pm_flaky` charge go wrong before one is answered.
    private static let flakyCalls = 2

    func charge(_ request: GatewayCharge, idempotencyKey: String) async throws -> String? {
        guard PaymentMethod.testMethods.contains(request.paymentMethod) else { return "unknown_payment_method" }
        let calls = try await store.book(
            request, idempotencyKey: idempotencyKey, context: .current(), resultAt: resultTime(for: request))
        if request.paymentMethod == .flaky, calls <= Self.flakyCalls {
            // The charge is in the books; only the answer is lost, which the caller can't know.
            throw GatewayUnavailable(description: "The gateway answered 503.")
        }
        return nil
    }

    func refund(_ charge: ChargeID, idempotencyKey: String) async throws {
        try await store.refund(charge, idempotencyKey: idempotencyKey)
    }

    /// What the gateway has in its books about an order.
    func ledger(of order: OrderID) async throws -> [LedgerEntry] { try await store.entries(of: order) }

    /// Settles charges when their time has come, and reports them.
    func reporter() -> EffectSender<ContinuousClock> {
        var sender = EffectSender(database: store.database, effects: store.effects, outbox: nil, logger: logger)
        sender.on(SettleCharge.self) { effect, _ in
            let entry = try await store.settle(effect.chargeId, as: Self.result(of: effect.paymentMethod))
            try await report(effect.chargeId, entry)
            if effect.paymentMethod == .flaky { try await report(effect.chargeId, entry) }
        } record: { _, _, _, _ in
            []
        }
        return sender
    }

    private func resultTime(for request: GatewayCharge) -> Date? {
        switch request.paymentMethod {
        case .silent: nil
        case .slow: Date(timeIntervalSinceNow: behaviour.slowDelay.inSeconds)
        default: Date(timeIntervalSinceNow: behaviour.delay.inSeconds)
        }
    }

    private static func result(of method: PaymentMethod) -> GatewayResult {
        method == .declined ? .failed(code: "card_declined") : .succeeded
    }
}

/// The gateway's intention to settle a charge later.
struct SettleCharge: Effect {
    static let kind = "settle-charge"
    let chargeId: ChargeID
    let paymentMethod: PaymentMethod
}
