import Contracts
import Foundation
import Messaging
import Outbox
import Persistence

/// What the order service does with each message: message in, one transaction, messages out.
struct Handlers: Sendable {
    let store: OrderStore
    let saga: OrderSaga

    func register(on handlers: inout MessageHandlers) {
        handlers.on(StockReserved.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction, saga.stockReserved)
        }
        handlers.on(StockRejected.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction, saga.stockRejected)
        }
        handlers.on(CancelUnpaidOrder.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction, saga.paymentTimedOut)
        }
        handlers.on(ShipmentStatusChanged.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction) { order, _ in
                try saga.shipmentMoved(&order, to: event.data.status, at: event.attributes.time)
            }
        }
        handlers.on(ShipmentStopped.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction) { order, now in
                try saga.shipmentStopped(&order, in: event.data.previous, at: now)
            }
        }
        handlers.on(ShipmentNotStopped.self) { event, transaction in
            try store.advance(event.data.orderId, in: transaction) { order, _ in
                try saga.shipmentNotStopped(&order, in: event.data.status)
            }
        }
        handlers.on(ProductChanged.self) { event, transaction in
            try store.takeOver(event.data, in: transaction)
            return []
        }
    }
}
