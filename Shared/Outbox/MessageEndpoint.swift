import Contracts
import Logging
import Messaging
import Persistence
import ServiceLifecycle

/// Where a service is joined to the broker (Enterprise Integration Patterns: Message Endpoint): its queue is worked
/// off through the inbox, and what its transactions want sent goes out through the outbox.
public struct MessageEndpoint: Sendable {
    /// Takes what HTTP requests and other transactions want sent.
    public let outbox: Outbox
    /// Says what is done with each type of message.
    public var handlers: MessageHandlers
    private var clients = [HTTPClientService()]
    private let relay: Relay<ContinuousClock>
    private let link: BrokerLink
    private let service: String
    private let queue: Queue
    private let settings: MessagingSettings
    private let logger: Logger

    /// - Parameters:
    ///   - database: has the tables of ``Outbox/migrations``.
    ///   - report: hears whether the broker can be reached.
    public init(
        service: String, queue: Queue, database: any Database, settings: MessagingSettings, logger: Logger,
        report: @escaping @Sendable (_ isReachable: Bool, _ detail: String) -> Void
    ) {
        outbox = Outbox(service: service)
        handlers = MessageHandlers(consumer: queue.rawValue, database: database, outbox: outbox, logger: logger)
        var topology = Topology.shop
        topology.ownQueue = queue
        link = BrokerLink(transport: Self.transport(clients[0], settings), topology: topology, report: report)
        relay = Relay(database: database, outbox: outbox, link: link, logger: logger)
        self.service = service
        self.queue = queue
        self.settings = settings
        self.logger = logger
        report(false, "waiting for the broker\(settings.access.endpoint.map { " at \($0)" } ?? "")")
    }

    /// Asks other services; run it with ``services(with:)``.
    /// - Parameter report: hears whether replies can be received. That is another matter than whether the broker can be
    ///   reached: without them the service does all else that it is for.
    public mutating func requester(
        report: @escaping @Sendable (_ isReachable: Bool, _ detail: String) -> Void
    ) -> Requester {
        // A question can't wait for the broker to come back, as all other messages can.
        let client = HTTPClientService(waitsForConnection: false)
        clients.append(client)
        let replies = Queue.replies(to: service)
        let topology = Topology(requestQueues: Topology.shop.requestQueues, replyQueue: replies)
        report(false, "waiting for the reply queue")
        return Requester(
            service: service, queue: replies,
            link: BrokerLink(transport: Self.transport(client, settings), topology: topology, report: report),
            settings: settings.consumer, logger: logger)
    }

    /// Answers the questions that come in on a queue; run it with ``services(with:)``.
    public func responder(on queue: Queue) -> Responder {
        Responder(service: service, queue: queue, link: link, settings: settings.consumer, logger: logger)
    }

    private static func transport(_ client: HTTPClientService, _ settings: MessagingSettings) -> AWSTransport {
        AWSTransport(http: client.client, access: settings.access, channels: settings.channels)
    }

    /// What runs, in dependency order: the clients, the relay, `others`, and the consumer, which is the first to stop.
    public func services(with others: [any Service] = []) -> [any Service] {
        let handlers = handlers
        let consumer = QueueConsumer(link: link, queue: queue, settings: settings.consumer, logger: logger) {
            try await handlers.handle($0)
        }
        var services: [any Service] = clients
        services.append(relay)
        services += others
        services.append(consumer)
        return services
    }
}
