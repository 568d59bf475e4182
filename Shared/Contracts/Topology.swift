/// A publish/subscribe channel; each belongs to the service that publishes on it.
public struct Topic: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let orderEvents: Topic = "order-events"
    public static let inventoryEvents: Topic = "inventory-events"
    public static let loyaltyEvents: Topic = "loyalty-events"
}

/// A point-to-point channel; each belongs to the service that consumes it.
public struct Queue: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    public static let order: Queue = "order"
    public static let payment: Queue = "payment"
    public static let inventory: Queue = "inventory"
    public static let email: Queue = "email"
    public static let loyalty: Queue = "loyalty"
    public static let notification: Queue = "notification"

    /// Questions to payment, inventory and loyalty. They have queues of their own, so that a customer who waits for the
    /// answer doesn't wait for the orders of others.
    public static let paymentRequests: Queue = "payment-requests"
    public static let inventoryRequests: Queue = "inventory-requests"
    public static let loyaltyRequests: Queue = "loyalty-requests"

    /// A queue for the replies to one process of a service, under a name that no other process has.
    public static func replies(to service: String) -> Queue {
        Queue(rawValue: repliesPrefix(service) + UUIDv7.make())
    }

    /// How the names of a service's reply queues begin.
    public static func repliesPrefix(_ service: String) -> String { "\(service)-replies-" }

    /// Where messages end that can't be handled.
    public var deadLetters: Queue { Queue(rawValue: rawValue + "-dlq") }
}

/// Where a message is sent.
public enum Destination: Hashable, Sendable {
    case topic(Topic)
    case queue(Queue)
}

/// The channels of the shop and who listens to what, in one place: to send an event to one more service, add its type
/// to a subscription here and a handler there.
///
/// Each service makes sure at its start that all of them exist. If each made only its own, an event published before
/// a subscriber had ever run would be lost to it.
public struct Topology: Sendable {
    /// Copies the events of `types` from a topic to a queue.
    public struct Subscription: Sendable {
        public let topic: Topic
        public let queue: Queue
        public let types: [String]

        public init(_ topic: Topic, to queue: Queue, _ types: [any MessagePayload.Type]) {
            self.topic = topic
            self.queue = queue
            self.types = types.map { $0.type }
        }
    }

    public let topics: [Topic]
    public let queues: [Queue]
    public let subscriptions: [Subscription]
    /// Queues of requests. What is in them loses its worth within seconds, so it is kept for a minute and has no dead
    /// letters: a service that is away finds no heap of old questions when it comes back.
    public let requestQueues: [Queue]
    /// Where the replies to this process come in, kept as short; it lives as long as the process.
    public let replyQueue: Queue?
    /// The queue that this process works off, by which it sees that the channels are there when others have made them.
    public var ownQueue: Queue?

    public init(
        topics: [Topic] = [], queues: [Queue] = [], subscriptions: [Subscription] = [], requestQueues: [Queue] = [],
        replyQueue: Queue? = nil
    ) {
        self.topics = topics
        self.queues = queues
        self.subscriptions = subscriptions
        self.requestQueues = requestQueues
        self.replyQueue = replyQueue
    }

    /// What an order's journey needs.
    public static let shop = Topology(
        topics: [.orderEvents, .inventoryEvents, .loyaltyEvents],
        queues: [.order, .payment, .inventory, .email, .loyalty, .notification],
        subscriptions: [
            Subscription(
                .orderEvents, to: .inventory, [OrderPlaced.self, OrderConfirmed.self, OrderCancelled.self]),
            Subscription(.orderEvents, to: .email, [OrderConfirmed.self, OrderCancelled.self, OrderRefunded.self]),
            Subscription(.orderEvents, to: .loyalty, [OrderConfirmed.self, OrderCancelled.self]),
            Subscription(
                .orderEvents, to: .notification,
                [
                    OrderPlaced.self, OrderConfirmed.self, OrderCancelled.self, OrderRefunded.self,
                    CancellationRefused.self,
                ]),
            Subscription(
                .inventoryEvents, to: .order,
                [
                    StockReserved.self, StockRejected.self, ProductChanged.self, ShipmentStatusChanged.self,
                    ShipmentStopped.self, ShipmentNotStopped.self,
                ]),
            Subscription(.inventoryEvents, to: .notification, [ShipmentStatusChanged.self]),
            Subscription(.loyaltyEvents, to: .notification, [PointsAwarded.self, PointsReversed.self]),
        ],
        requestQueues: [.paymentRequests, .inventoryRequests, .loyaltyRequests])
}
