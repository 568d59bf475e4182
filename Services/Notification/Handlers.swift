import Contracts
import Logging
import Messaging
import Metrics
import Outbox
import Persistence

/// What notification does with each event: it adds a line to the list of each of those whom it concerns, as soon as what
/// comes before it in the order's life was told, and sends it to the merchants' endpoints at once.
struct Handlers: Sendable {
    let store: NotificationStore
    let webhooks: WebhookFanOut
    /// How long a line waits for what comes before it. More than the retries of a message take (15 s) with a visibility
    /// timeout or two, so that only a dead letter is not waited for.
    let patience: Duration
    let logger: Logger

    func register(on handlers: inout MessageHandlers) {
        handlers.on(OrderPlaced.self) { try tell([Notice($0)], .init(.orderPlaced), .orderPlaced, of: $0, in: $1) }
        handlers.on(OrderConfirmed.self) {
            try tell([Notice($0)], .init(.orderConfirmed), .orderConfirmed, of: $0, in: $1)
        }
        handlers.on(OrderCancelled.self) {
            let shipment = $0.data.stoppedShipment.flatMap(Notice.Kind.init)
            let previous = shipment ?? ($0.data.wasConfirmed == true ? .orderConfirmed : nil)
            return try tell([Notice($0)], .init(.orderCancelled, after: previous), .orderCancelled, of: $0, in: $1)
        }
        handlers.on(OrderRefunded.self) {
            try tell([Notice($0)], .init(.orderRefunded), .orderRefunded, of: $0, in: $1)
        }
        handlers.on(CancellationRefused.self) {
            let previous = $0.data.shipment.flatMap(Notice.Kind.init)
            return try tell(
                [Notice($0)], .init(.cancellationRefused, after: previous), .cancellationRefused, of: $0, in: $1)
        }
        handlers.on(PointsAwarded.self) {
            try tell([Notice($0)], .init(.pointsAwarded), .pointsAwarded, of: $0, in: $1)
        }
        handlers.on(PointsReversed.self) {
            try tell([Notice($0)], .init(.pointsReversed), .pointsReversed, of: $0, in: $1)
        }
        handlers.on(ShipmentStatusChanged.self) { event, transaction in
            let notices = Notice.all(event)
            guard let kind = notices.first?.kind else {
                try webhooks.send(.shipmentStatusChanged, event, in: transaction)
                return []
            }
            let step = Story.Step(kind, after: event.data.previous.flatMap(Notice.Kind.init))
            return try tell(notices, step, .shipmentStatusChanged, of: event, in: transaction)
        }
        handlers.on(TellAnyway.self) { event, transaction in
            try tellAnyway(event.data, in: transaction)
            return []
        }
    }

    /// - Returns: a message to ourselves for the case that what must come first never does.
    private func tell<Payload>(
        _ notices: [Notice], _ step: Story.Step, _ type: MerchantEvent, of event: CloudEvent<Payload>,
        in transaction: any Transaction
    ) throws -> [OutgoingMessage] {
        try webhooks.send(type, event, in: transaction)
        guard let order = notices.first?.orderID, try store.add(notices, as: step, in: transaction) else { return [] }
        Counter(label: "notification.lines.held_back", dimensions: [("kind", step.kind.rawValue)]).increment()
        let command = TellAnyway(orderId: order, kind: step.kind.rawValue)
        return [.command(command, to: .notification, about: order.rawValue, after: patience)]
    }

    private func tellAnyway(_ command: TellAnyway, in transaction: any Transaction) throws {
        guard let kind = Notice.Kind(rawValue: command.kind) else {
            throw Unprocessable("The kind '\(command.kind)' is unknown to notification.")
        }
        guard try store.stopHoldingBack(kind, of: command.orderId, in: transaction) else { return }
        Counter(label: "notification.lines.told_anyway", dimensions: [("kind", kind.rawValue)]).increment()
        logger.warning(
            "told without what comes before it in the order's life; see the dead letters of notification",
            metadata: ["kind": "\(kind)", "order_id": "\(command.orderId)"])
    }
}
