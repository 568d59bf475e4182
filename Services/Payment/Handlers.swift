import Contracts
import Messaging
import Outbox

/// What payment does with each command.
struct Handlers: Sendable {
    let store: PaymentStore

    func register(on handlers: inout MessageHandlers) {
        handlers.on(ChargePayment.self) { event, transaction in
            let command = event.data
            let charge = Charge(
                id: .make(), orderID: command.orderId, amount: command.amount, paymentMethod: command.paymentMethod)
            try store.request(
                charge, context: .current(causedBy: event.attributes), in: transaction)
            return []
        }
        handlers.on(RefundPayment.self) { event, transaction in
            do {
                try store.startRefund(
                    of: event.data.orderId, context: .current(causedBy: event.attributes), in: transaction)
            } catch let refused as Charge.TransitionRefused {
                throw Unprocessable(refused.description)
            }
            return []
        }
    }
}
