import Contracts
import Messaging
import Outbox

/// What inventory does with each event of an order.
struct Handlers: Sendable {
    let store: InventoryStore

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderPlaced.self) { event, transaction in
            let order = event.data
            switch try store.reserve(order.orderId, order.items, in: transaction) {
            case .held: return [message(StockReserved(orderId: order.orderId), order.orderId)]
            case .short(let shortages):
                return [message(StockRejected(orderId: order.orderId, shortages: shortages), order.orderId)]
            case .alreadyKnown: return []
            }
        }
        handlers.on(OrderConfirmed.self) { event, transaction in
            try settle(event.data.orderId) { try store.sell($0, in: transaction) }
        }
        handlers.on(OrderCancelled.self) { event, transaction in
            try settle(event.data.orderId) { try store.release($0, in: transaction) }
        }
    }

    /// A step that the reservation refuses can't succeed later either.
    private func settle(_ order: OrderID, _ step: (OrderID) throws -> Void) throws -> [OutgoingMessage] {
        do {
            try step(order)
        } catch let refused as Reservation.TransitionRefused {
            throw Unprocessable(refused.description)
        }
        return []
    }

    private func message(_ payload: some MessagePayload, _ order: OrderID) -> OutgoingMessage {
        .event(payload, on: .inventoryEvents, about: order.rawValue)
    }
}
