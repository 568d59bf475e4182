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
    private let http = HTTPClientService()
    private let relay: Relay<ContinuousClock>
    private let link: BrokerLink
    private let queue: Queue
    private let settings: ConsumerSettings
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
        let transport = AWSTransport(
            http: http.client, endpoint: settings.endpoint, region: settings.region,
            credentials: settings.credentials, maxReceiveCount: settings.consumer.retry.maxReceiveCount)
        link = BrokerLink(transport: transport, topology: .shop, report: report)
        relay = Relay(database: database, outbox: outbox, link: link, logger: logger)
        self.queue = queue
        self.settings = settings.consumer
        self.logger = logger
        report(false, "waiting for the broker at \(settings.endpoint)")
    }

    /// What runs, in dependency order: the client, the relay, `others`, and the consumer, which is the first to stop.
    public func services(with others: [any Service] = []) -> [any Service] {
        let handlers = handlers
        let consumer = QueueConsumer(link: link, queue: queue, settings: settings, logger: logger) {
            try await handlers.handle($0)
        }
        return [http, relay] + others + [consumer]
    }
}
