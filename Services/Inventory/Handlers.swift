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
            case .held: return [.inventoryEvent(StockReserved(orderId: order.orderId), order.orderId)]
            case .short(let shortages):
                return [
                    .inventoryEvent(StockRejected(orderId: order.orderId, shortages: shortages), order.orderId)
                ]
            case .alreadyKnown: return []
            }
        }
        handlers.on(OrderConfirmed.self) { event, transaction in
            let order = event.data
            return try settled {
                try store.sellAndShip(order.orderId, to: order.customer.id, in: transaction)
                    .map { [.inventoryEvent($0.event, order.orderId)] } ?? []
            }
        }
        handlers.on(OrderCancelled.self) { event, transaction in
            try settled {
                try store.release(event.data.orderId, in: transaction)
                return []
            }
        }
        handlers.on(StopShipment.self) { event, transaction in
            let order = event.data.orderId
            return try settled {
                switch try store.stopShipment(of: order, to: event.data.customerId, in: transaction) {
                case .stopped(let shipment):
                    let told = shipment.map { OutgoingMessage.inventoryEvent($0.event, order) }
                    let stopped = ShipmentStopped(orderId: order, previous: shipment?.event.previous)
                    return [.inventoryEvent(stopped, order)] + (told.map { [$0] } ?? [])
                case .tooLate(let status):
                    let word = ShipmentStatus(rawValue: status.rawValue)
                    return [.inventoryEvent(ShipmentNotStopped(orderId: order, status: word), order)]
                }
            }
        }
    }

    /// A step that the reservation refuses can't succeed later either.
    private func settled(_ step: () throws -> [OutgoingMessage]) throws -> [OutgoingMessage] {
        do {
            return try step()
        } catch let refused as Reservation.TransitionRefused {
            throw Unprocessable(refused.description)
        }
    }
}

extension OutgoingMessage {
    /// What inventory tells of an order.
    static func inventoryEvent(_ payload: some MessagePayload, _ order: OrderID) -> OutgoingMessage {
        .event(payload, on: .inventoryEvents, about: order.rawValue)
    }
}
