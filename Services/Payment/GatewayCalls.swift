import Contracts
import Outbox
import Persistence

/// The effect of asking the gateway for an order's money.
struct ChargeAtGateway: Effect {
    static let kind = "charge-at-gateway"
    let chargeId: ChargeID
}

/// The effect of having the gateway return it.
struct RefundAtGateway: Effect {
    static let kind = "refund-at-gateway"
    let chargeId: ChargeID
}

/// Calls the gateway until it has answered, always with the charge's id as the idempotency key.
struct GatewayCalls: Sendable {
    let gateway: any PaymentGateway
    let store: PaymentStore

    func register<C>(on sender: inout EffectSender<C>) {
        sender.on(ChargeAtGateway.self) { effect, key in
            let charge = try await store.charge(effect.chargeId)
            return try await gateway.charge(
                GatewayCharge(
                    chargeID: charge.id, orderID: charge.orderID, amount: charge.amount,
                    paymentMethod: charge.paymentMethod),
                idempotencyKey: key)
        } record: { effect, refusal, context, transaction in
            if let refusal {
                try store.settle(effect.chargeId, .failed(code: refusal), context: context, in: transaction)
            }
            return []
        }
        sender.on(RefundAtGateway.self) { effect, key in
            try await gateway.refund(effect.chargeId, idempotencyKey: key)
        } record: { effect, _, context, transaction in
            try store.finishRefund(of: effect.chargeId, context: context, in: transaction)
            return []
        }
    }
}
