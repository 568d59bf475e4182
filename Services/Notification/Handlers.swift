import Contracts
import Messaging
import Outbox
import Persistence

/// What notification does with each event: it adds a line to the list of each of those whom it concerns.
struct Handlers: Sendable {
    let store: NotificationStore

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderPlaced.self) { try add([Notice($0)], in: $1) }
        handlers.on(OrderConfirmed.self) { try add([Notice($0)], in: $1) }
        handlers.on(OrderCancelled.self) { try add([Notice($0)], in: $1) }
        handlers.on(OrderRefunded.self) { try add([Notice($0)], in: $1) }
        handlers.on(CancellationRefused.self) { try add([Notice($0)], in: $1) }
        handlers.on(PointsAwarded.self) { try add([Notice($0)], in: $1) }
        handlers.on(PointsReversed.self) { try add([Notice($0)], in: $1) }
        handlers.on(ShipmentStatusChanged.self) { try add(Notice.all($0), in: $1) }
    }

    private func add(_ notices: [Notice], in transaction: any Transaction) throws -> [OutgoingMessage] {
        for notice in notices { try store.add(notice, in: transaction) }
        return []
    }
}
