import Contracts
import Outbox

/// What notification does with each event: it adds a line to the customer's list.
struct Handlers: Sendable {
    let store: NotificationStore

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderPlaced.self) { event, transaction in
            try store.add(CustomerNotification(event), in: transaction)
            return []
        }
        handlers.on(OrderConfirmed.self) { event, transaction in
            try store.add(CustomerNotification(event), in: transaction)
            return []
        }
        handlers.on(OrderCancelled.self) { event, transaction in
            try store.add(CustomerNotification(event), in: transaction)
            return []
        }
        handlers.on(OrderRefunded.self) { event, transaction in
            try store.add(CustomerNotification(event), in: transaction)
            return []
        }
        handlers.on(PointsAwarded.self) { event, transaction in
            try store.add(CustomerNotification(event), in: transaction)
            return []
        }
    }
}
