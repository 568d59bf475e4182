import Foundation
import Persistence
import Synchronization

/// All topics with their subscriptions.
///
/// What is asked of them is looked up in memory; a change is written first and then taken over, in the order of the
/// commits.
final class Topics: Sendable {
    let store: BrokerStore
    let queues: Queues
    let identity: SigningIdentity
    let clock: any BrokerClock
    /// The HTTP subscriptions that somebody has to deliver for, each once.
    let endpoints: AsyncStream<Subscription>
    private let opened: AsyncStream<Subscription>.Continuation
    private let work: BackgroundWork
    private let byName = Mutex<[String: Topic]>([:])

    struct Topic: Sendable {
        let name: String
        var attributes: TopicAttributes
        var tags: [String: String]
        var subscriptions: [Subscription]
        let metrics: TopicMetrics

        init(
            name: String, attributes: TopicAttributes, tags: [String: String], subscriptions: [Subscription] = []
        ) {
            self.name = name
            self.attributes = attributes
            self.tags = tags
            self.subscriptions = subscriptions
            metrics = TopicMetrics(topic: name)
        }

        func count(_ state: Subscription.State) -> Int { subscriptions.count { $0.consent.state == state } }
    }

    init(
        store: BrokerStore, queues: Queues, identity: SigningIdentity, clock: any BrokerClock, work: BackgroundWork
    ) {
        self.store = store
        self.queues = queues
        self.identity = identity
        self.clock = clock
        self.work = work
        (endpoints, opened) = AsyncStream.makeStream()
    }

    /// Takes up the topics on disk.
    func open() async throws {
        let topics = try await store.database.read { [store] in try store.topics($0) }
        byName.withLock { byName in
            byName = Dictionary(topics.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        for subscription in topics.flatMap(\.subscriptions) {
            watchToken(of: subscription)
            if subscription.kind.isHTTP { opened.yield(subscription) }
        }
    }

    /// In the order of their names.
    var all: [Topic] { byName.withLock { $0.values.sorted { $0.name < $1.name } } }

    func find(_ name: String) -> Topic? { byName.withLock { $0[name] } }

    /// - Throws: `NotFound`.
    func get(_ name: String) throws(AWSError) -> Topic {
        guard let topic = find(name) else { throw .noTopic }
        return topic
    }

    /// A subscription of a topic, also one that has ended.
    func find(_ id: String, of topic: String) -> Subscription? {
        byName.withLock { $0[topic]?.subscriptions.first { $0.id == id } }
    }

    /// - Throws: `NotFound`.
    func subscription(_ id: String) throws(AWSError) -> Subscription {
        let found = byName.withLock { byName in
            byName.values.lazy.flatMap(\.subscriptions).first { $0.id == id }
        }
        guard let found, found.consent.state != .ended else { throw .noSubscription }
        return found
    }
}

// MARK: Topics

extension Topics {
    /// Creates a topic. One that is there with the same attributes is as good.
    func create(_ name: String, attributes: TopicAttributes, tags: [String: String]) async throws {
        try ResourceName.checkTopic(name, isFIFO: attributes.isFIFO)
        try await store.database.write { [store, clock] transaction in
            if let existing = try store.topic(named: name, transaction) {
                guard existing.attributes.grant(attributes) else {
                    throw AWSError.invalidParameter("Attributes Reason: Topic already exists with different attributes")
                }
                guard tags.allSatisfy({ existing.tags[$0.key] == $0.value }) else {
                    throw AWSError.invalidParameter("Tags Reason: Topic already exists with different tags")
                }
                return
            }
            let topic = Topic(name: name, attributes: attributes, tags: tags)
            try store.insert(topic, now: clock.now(), transaction)
            transaction.onCommit { self.byName.withLock { $0[name] = topic } }
        }
    }

    func setAttribute(_ attribute: String, _ value: String, of name: String) async throws {
        try await setAttribute(attribute, of: name) { _ in value }
    }

    /// Sets an attribute to what follows from those that a topic has.
    func setAttribute(
        _ attribute: String, of name: String, _ value: @escaping @Sendable (TopicAttributes) throws -> String
    ) async throws {
        try await change(name, orThrow: .noTopic) { topic in
            topic.attributes = try topic.attributes.setting(attribute, to: value(topic.attributes))
        }
    }

    /// Changes the tags of a topic; there may be 50.
    func changeTags(of name: String, _ change: @escaping @Sendable (inout [String: String]) -> Void) async throws {
        try await self.change(name, orThrow: .noResource) { topic in
            change(&topic.tags)
            guard topic.tags.count <= 50 else { throw AWSError.tagLimit }
        }
    }

    private func change(
        _ name: String, orThrow missing: AWSError, _ change: @escaping @Sendable (inout Topic) throws -> Void
    ) async throws {
        try await store.database.write { [store] transaction in
            guard var topic = try store.topic(named: name, transaction) else { throw missing }
            try change(&topic)
            try store.update(topic, transaction)
            let (attributes, tags) = (topic.attributes, topic.tags)
            transaction.onCommit {
                self.byName.withLock { byName in
                    byName[name]?.attributes = attributes
                    byName[name]?.tags = tags
                }
            }
        }
    }

    /// Deletes a topic with its subscriptions. One that isn't there is no error.
    func delete(_ name: String) async throws {
        try await store.database.write { [store, queues] transaction in
            guard let topic = try store.topic(named: name, transaction) else { return }
            for subscription in topic.subscriptions where subscription.kind.isHTTP {
                try queues.deleteDeliveries(subscription.queue, transaction)
            }
            try store.deleteTopic(name, transaction)
            transaction.onCommit { self.byName.withLock { $0.removeValue(forKey: name) }?.metrics.destroy() }
        }
    }
}

// MARK: Subscriptions

extension Topics {
    /// Subscribes. A subscription of the same endpoint with the same attributes is as good; one that waits for its
    /// confirmation is asked for it again.
    func subscribe(_ wanted: Subscription, caller: Caller) async throws -> Subscription {
        try wanted.checkEndpoint()
        try wanted.checkTogether()
        return try await store.database.write { [store, queues, clock] transaction in
            guard let topic = try store.topic(named: wanted.topic, transaction) else { throw AWSError.noTopic }
            if topic.attributes.isFIFO, wanted.kind.isHTTP {
                throw AWSError.invalidParameter("Protocol: a FIFO topic delivers to queues alone")
            }
            if !topic.attributes.isFIFO, !wanted.kind.isHTTP, wanted.queue.hasSuffix(ResourceName.fifoSuffix) {
                throw AWSError.invalidParameter(
                    "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
            }
            let existing = topic.subscriptions.first { $0.leads(where: wanted) }
            if var existing, existing.consent.state != .ended {
                guard existing.attributes.grant(wanted.attributes) else {
                    throw AWSError.invalidParameter(
                        "Attributes Reason: Subscription already exists with different attributes")
                }
                guard existing.consent.state == .pending else { return existing }
                existing.consent.tokenExpiresAt = clock.now() + Subscription.Consent.lifetime
                try self.save(existing, transaction)
                try self.send(.subscriptionConfirmation, to: existing, topic, caller, transaction)
                return existing
            }
            if let existing { try self.remove(existing, transaction) }
            try store.insert(wanted, now: clock.now(), transaction)
            if wanted.kind.isHTTP { try queues.createDeliveries(wanted.queue, transaction) }
            transaction.onCommit {
                self.byName.withLock { $0[wanted.topic]?.subscriptions.append(wanted) }
                self.watchToken(of: wanted)
                if wanted.kind.isHTTP { self.opened.yield(wanted) }
            }
            if wanted.consent.state == .pending {
                try self.send(.subscriptionConfirmation, to: wanted, topic, caller, transaction)
            }
            return wanted
        }
    }

    /// Confirms the subscription that a token was sent for, or restores one that has ended.
    func confirm(_ token: String, of topic: String, guardingUnsubscribe: Bool, caller: Caller) async throws
        -> Subscription
    {
        guard token.utf8.count == 64, token.utf8.allSatisfy(\.isLetterOrDigit) else {
            throw AWSError(code: "InvalidParameter", "Invalid token")
        }
        let asked = find(topic)?.subscriptions.first { $0.consent.token == token }
        guard let asked else { throw AWSError.invalidParameter("Token") }
        return try await store.database.write { [store, clock] transaction in
            guard var subscription = try store.subscription(asked.id, transaction), subscription.consent.token == token
            else { throw AWSError.invalidParameter("Token") }
            guard subscription.consent.state != .confirmed else { return subscription }
            guard subscription.consent.tokenExpiresAt ?? 0 > clock.now() else {
                throw AWSError.invalidParameter("Token")
            }
            subscription.consent.state = .confirmed
            subscription.consent.wasAuthenticated = caller.isAuthenticated
            subscription.consent.guardsUnsubscribe = guardingUnsubscribe && caller.isAuthenticated
            try self.save(subscription, transaction)
            return subscription
        }
    }

    func setAttribute(_ attribute: String, _ value: String, ofSubscription id: String) async throws {
        try await store.database.write { [store] transaction in
            guard var subscription = try store.subscription(id, transaction), subscription.consent.state != .ended
            else { throw AWSError.noSubscription }
            subscription.attributes = try subscription.attributes.setting(attribute, to: value)
            try subscription.checkTogether()
            try self.save(subscription, transaction)
        }
    }

    /// Ends a subscription. One that isn't there is no error. An endpoint that had agreed is told, and what waits for it
    /// is dropped.
    func unsubscribe(_ id: String, caller: Caller) async throws {
        try await store.database.write { [store, queues, clock] transaction in
            guard var subscription = try store.subscription(id, transaction), subscription.consent.state != .ended,
                let topic = try store.topic(named: subscription.topic, transaction)
            else { return }
            guard caller.isAuthenticated || !subscription.consent.guardsUnsubscribe else {
                throw AWSError.authorization("The subscription can only be ended by a signed request.")
            }
            guard subscription.kind.isHTTP, subscription.consent.state == .confirmed else {
                return try self.remove(subscription, transaction)
            }
            subscription.consent = .asked(.ended, at: clock.now())
            try self.save(subscription, transaction)
            try queues.emptyDeliveries(subscription.queue, transaction)
            try self.send(.unsubscribeConfirmation, to: subscription, topic, caller, transaction)
        }
    }

    /// Puts a message about a subscription before its endpoint.
    private func send(
        _ type: EnvelopeType, to subscription: Subscription, _ topic: Topic, _ caller: Caller,
        _ transaction: any Transaction
    ) throws {
        guard let queue = try store.queueID(subscription.queue, transaction) else { return }
        let (id, now) = (MessageID.make(), clock.now())
        let content = try envelope(of: topic, caller).confirmation(type, of: subscription, id: id)
        let copy = BrokerStore.Copy(queue: queue, messageID: id, visibleAt: now, subscription: subscription.id)
        let stored = try store.insert(content, copies: [copy], sentAt: now, transaction)
        transaction.onCommit { self.queues.find(subscription.queue)?.accept(stored) }
    }

    func envelope(of topic: Topic, _ caller: Caller) -> TopicEnvelope {
        TopicEnvelope(
            topic: topic.name, version: topic.attributes.signatureVersion, identity: identity, caller: caller,
            now: clock.now())
    }

    private func save(_ subscription: Subscription, _ transaction: any Transaction) throws {
        try store.update(subscription, transaction)
        transaction.onCommit {
            self.byName.withLock { byName in
                let subscriptions = byName[subscription.topic]?.subscriptions
                guard let index = subscriptions?.firstIndex(where: { $0.id == subscription.id }) else { return }
                byName[subscription.topic]?.subscriptions[index] = subscription
            }
            self.watchToken(of: subscription)
        }
    }

    private func remove(_ subscription: Subscription, _ transaction: any Transaction) throws {
        try store.deleteSubscription(subscription.id, transaction)
        if subscription.kind.isHTTP { try queues.deleteDeliveries(subscription.queue, transaction) }
        transaction.onCommit {
            self.byName.withLock { $0[subscription.topic]?.subscriptions.removeAll { $0.id == subscription.id } }
        }
    }

    /// A subscription that nobody confirms is removed with the end of its token.
    private func watchToken(of subscription: Subscription) {
        guard subscription.consent.state != .confirmed, let end = subscription.consent.tokenExpiresAt else { return }
        clock.call(at: end) { [weak self] in
            guard let self else { return }
            self.work.submit { await self.expire(subscription.id) }
        }
    }

    private func expire(_ id: String) async {
        // If it can't be written now, the next start does it.
        try? await store.database.write { [store, clock] transaction in
            guard let subscription = try store.subscription(id, transaction),
                subscription.consent.state != .confirmed,
                subscription.consent.tokenExpiresAt ?? .max <= clock.now()
            else { return }
            try self.remove(subscription, transaction)
        }
    }
}
