import AsyncHTTPClient
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization

/// Posts notifications to the endpoints of HTTP subscriptions.
///
/// Each subscription has its own queue and a few lanes that take from it, so a slow endpoint holds up nobody but
/// itself, and what is in memory depends on how many subscriptions there are and not on what waits. A lane that has
/// nothing to do waits for its queue. After a crash, what was being sent is sent again, with the same message id.
struct HTTPSender: Service {
    let topics: Topics
    let account: String
    let authorities: [NIOSSLCertificate]
    let clock: any BrokerClock
    let logger: Logger

    /// How many requests one endpoint gets at a time.
    static let lanes = 8
    /// How long an endpoint may take to answer.
    static let timeout: Milliseconds = 15_000
    /// Longer than a lane can take for one message: its place in the throttle, then the timeout.
    private static let visibility: Milliseconds = 60_000
    private static let patience: Milliseconds = 3_600_000

    func run() async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = [.certificates(authorities)]
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.timeout.connect = .seconds(5)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        // Endpoints on one host have one pool; it is the lanes that bound what each gets.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
        configuration.tracing.tracer = nil
        try await HTTPClient.withHTTPClient(configuration: configuration) { http in
            await withDiscardingTaskGroup { group in
                for await subscription in topics.endpoints.cancelOnGracefulShutdown() {
                    guard let queue = topics.queues.find(subscription.queue) else { continue }
                    let endpoint = Endpoint(topic: subscription.topic, id: subscription.id, queue: queue)
                    for _ in 0..<Self.lanes { group.addTask { await work(for: endpoint, http) } }
                }
            }
        }
    }

    /// What the lanes of a subscription share.
    private final class Endpoint: Sendable {
        let topic: String
        let id: String
        let queue: MessageQueue
        let throttle = Mutex(Throttle())

        init(topic: String, id: String, queue: MessageQueue) {
            self.topic = topic
            self.id = id
            self.queue = queue
        }
    }

    private func work(for endpoint: Endpoint, _ http: HTTPClient) async {
        let queue = endpoint.queue
        while !queue.isClosed, !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                let deliveries = try await cancelWhenGracefulShutdown {
                    try await queue.receive(maximum: 1, visibility: Self.visibility, wait: Self.patience)
                }
                for delivery in deliveries { try await deliver(delivery, to: endpoint, http) }
            } catch {
                logger.warning(
                    "a delivery is held up and goes on in 1 s",
                    metadata: ["subscription": "\(endpoint.queue.name)", "error": "\(error)"])
                await clock.sleep(until: clock.now() + 1000)
            }
        }
    }

    private func deliver(_ delivery: QueueState.Delivery, to endpoint: Endpoint, _ http: HTTPClient) async throws {
        guard let topic = topics.find(endpoint.topic), let subscription = topics.find(endpoint.id, of: endpoint.topic),
            let post = EndpointPost(
                delivery.message, to: subscription, account: account,
                policy: topic.attributes.deliveryPolicy.effective(subscription.attributes.deliveryPolicy))
        else { return }
        if let rate = post.policy.maxReceivesPerSecond {
            let now = clock.now()
            await clock.sleep(until: endpoint.throttle.withLock { $0.place(perSecond: rate, now: now) })
        }
        let answer = await send(post, http)
        // Cut off by the end of the process: the next one sends it again.
        guard !Task.isCancelled else { return }
        switch answer.next(after: delivery.message.receiveCount, post.policy.retry) {
        case .done:
            try await endpoint.queue.settle(delivery)
            if post.type == .notification { topic.metrics.count(.delivered) }
        case .retry(let delay):
            try await endpoint.queue.postpone(delivery, by: delay)
            topic.metrics.count(.retried)
        case .giveUp:
            // Whoever doesn't answer a confirmation hasn't lost a message.
            let target = post.type == .notification ? subscription.attributes.deadLetterQueue : nil
            let isKept = try await endpoint.queue.giveUp(delivery, movingTo: target)
            if post.type == .notification { topic.metrics.count(isKept ? .redriven : .failed) }
            logger.warning(
                "an endpoint could not be reached",
                metadata: [
                    "subscription": "\(endpoint.queue.name)", "message_id": "\(post.messageID)",
                    "attempts": "\(delivery.message.receiveCount)", "answer": "\(answer)",
                    "dead_letter_queue": "\(isKept ? target ?? "" : "none")",
                ])
        }
    }

    private func send(_ post: EndpointPost, _ http: HTTPClient) async -> EndpointAnswer {
        guard Subscription.canBeReached(post.url) else { return .nowhere }
        let end = clock.now() + Self.timeout
        var request = HTTPClientRequest(url: post.url)
        request.method = .POST
        for (name, value) in post.headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(string: post.body))
        do {
            let response = try await http.execute(request, deadline: .now() + .milliseconds(Self.timeout))
            await read(response.body, until: end)
            return .status(Int(response.status.code))
        } catch {
            return .none("\(error)")
        }
    }

    /// Reads a body, so that the connection can be used again. What it says doesn't matter, nor whether it comes: the
    /// status is the answer.
    private func read(_ body: HTTPClientResponse.Body, until end: Milliseconds) async {
        await withTaskGroup { group in
            group.addTask { _ = try? await body.collect(upTo: 1 << 16) }
            group.addTask { await clock.sleep(until: end) }
            await group.next()
            group.cancelAll()
        }
    }
}

/// One request to an endpoint.
struct EndpointPost: Sendable {
    let url: String
    let body: String
    let messageID: String
    let type: EnvelopeType
    let policy: DeliveryPolicy
    let headers: [(String, String)]

    /// - Returns: `nil` if the message is no more.
    init?(_ message: QueuedMessage, to subscription: Subscription, account: String, policy: DeliveryPolicy) {
        guard let content = message.content else { return nil }
        url = subscription.endpoint
        body = content.rendered(for: message.subscription).body
        messageID = message.messageID
        self.policy = policy
        // Only an enveloped copy names its subscription.
        let isRaw = message.subscription == nil
        type = isRaw ? .notification : EnvelopeType(of: content.body) ?? .notification
        var headers = [
            ("Content-Type", type == .notification ? policy.contentType : DeliveryPolicy.standardContentType),
            ("User-Agent", "Amazon Simple Notification Service Agent"), ("x-amz-sns-message-type", type.rawValue),
            ("x-amz-sns-message-id", messageID),
            ("x-amz-sns-topic-arn", subscription.topicARN(account: account)),
        ]
        if type != .subscriptionConfirmation {
            headers.append(("x-amz-sns-subscription-arn", subscription.arn(account: account)))
        }
        if isRaw { headers.append(("x-amz-sns-rawdelivery", "true")) }
        self.headers = headers
    }
}

/// What came of a request to an endpoint.
enum EndpointAnswer: Sendable, Equatable, CustomStringConvertible {
    case status(Int)
    /// No answer in time, or no connection.
    case none(String)
    /// It wasn't asked, for its URL leads to no place that there can be.
    case nowhere

    enum Next: Sendable, Equatable {
        case done
        case retry(after: Milliseconds)
        case giveUp
    }

    /// What follows from it. What the client has done wrong stays wrong, so only a server's failure and 429, which asks
    /// for patience, are tried again.
    func next(after attempts: Int, _ schedule: RetrySchedule) -> Next {
        switch self {
        case .status(200...299): .done
        case .status(429), .status(500...599), .status(100...199), .none:
            schedule.delay(afterAttempts: attempts).map { .retry(after: $0) } ?? .giveUp
        case .status, .nowhere: .giveUp
        }
    }

    var description: String {
        switch self {
        case .status(let code): "\(code)"
        case .none(let reason): reason
        case .nowhere: "there is no such place"
        }
    }
}
