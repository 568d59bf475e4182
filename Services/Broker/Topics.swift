import Foundation
import Persistence
import Synchronization

/// All topics with their subscriptions, and what publishing to them means.
final class Topics: Sendable {
    private let store: BrokerStore
    private let queues: Queues
    private let clock: any BrokerClock
    private let byName = Mutex<[String: Topic]>([:])

    struct Topic: Sendable {
        let name: String
        var attributes: [String: String]
        var subscriptions: [Subscription] = []
    }

    init(store: BrokerStore, queues: Queues, clock: any BrokerClock) {
        self.store = store
        self.queues = queues
        self.clock = clock
    }

    /// Takes up the topics on disk.
    func open() async throws {
        let topics = try await store.database.read { [store] in try store.topics($0) }
        byName.withLock { byName in
            byName = Dictionary(topics.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// In the order of their names.
    var all: [Topic] { byName.withLock { $0.values.sorted { $0.name < $1.name } } }

    /// - Throws: `NotFound`.
    func get(_ name: String) throws(AWSError) -> Topic {
        guard let topic = byName.withLock({ $0[name] }) else { throw .noTopic }
        return topic
    }

    /// - Throws: `NotFound`.
    func subscription(_ id: String) throws(AWSError) -> Subscription {
        let found = byName.withLock { byName in
            byName.values.lazy.flatMap(\.subscriptions).first { $0.id == id }
        }
        guard let found else { throw .noSubscription }
        return found
    }

    // MARK: Administration

    /// Creates a topic. One that is there with the same attributes is as good.
    func create(_ name: String, attributes: [String: String], tags: [String: String]) async throws {
        try ResourceName.checkTopic(name)
        try Self.check(attributes)
        try await store.database.write { [store, clock] transaction in
            if let existing = try store.topic(named: name, transaction) {
                guard attributes.allSatisfy({ existing.attributes[$0.key] ?? "" == $0.value }) else {
                    throw AWSError.invalidParameter("Attributes Reason: Topic already exists with different attributes")
                }
                return
            }
            let topic = Topic(name: name, attributes: attributes)
            try store.insert(topic, tags: tags, now: clock.now(), transaction)
            transaction.onCommit { self.byName.withLock { $0[name] = topic } }
        }
    }

    func setAttribute(_ attribute: String, _ value: String, of name: String) async throws {
        try Self.check([attribute: value])
        try await store.database.write { [store] transaction in
            guard var topic = try store.topic(named: name, transaction) else { throw AWSError.noTopic }
            topic.attributes[attribute] = value
            try store.update(topic, transaction)
            let attributes = topic.attributes
            transaction.onCommit { self.byName.withLock { $0[name]?.attributes = attributes } }
        }
    }

    /// Deletes a topic with its subscriptions. One that isn't there is no error.
    func delete(_ name: String) async throws {
        try await store.database.write { [store] transaction in
            try store.deleteTopic(name, transaction)
            transaction.onCommit { self.byName.withLock { $0[name] = nil } }
        }
    }

    /// Subscribes, and returns the id. A subscription of the same endpoint with the same attributes is as good.
    func subscribe(_ wanted: Subscription) async throws -> String {
        try await store.database.write { [store, clock] transaction in
            guard let topic = try store.topic(named: wanted.topic, transaction) else { throw AWSError.noTopic }
            if let existing = topic.subscriptions.first(where: { $0.endpoint == wanted.endpoint }) {
                guard existing.grants(wanted) else {
                    throw AWSError.invalidParameter(
                        "Attributes Reason: Subscription already exists with different attributes")
                }
                return existing.id
            }
            try store.insert(wanted, now: clock.now(), transaction)
            transaction.onCommit { self.byName.withLock { $0[wanted.topic]?.subscriptions.append(wanted) } }
            return wanted.id
        }
    }

    func setAttribute(_ attribute: String, _ value: String, ofSubscription id: String) async throws {
        try await store.database.write { [store] transaction in
            guard let existing = try store.subscription(id, transaction) else { throw AWSError.noSubscription }
            var attributes = existing.attributes
            attributes[attribute] = value.isEmpty ? nil : value
            let changed = try Subscription(
                id: id, topic: existing.topic, endpoint: existing.endpoint, attributes: attributes)
            try store.update(changed, transaction)
            transaction.onCommit {
                self.byName.withLock { byName in
                    guard let index = byName[changed.topic]?.subscriptions.firstIndex(where: { $0.id == id }) else {
                        return
                    }
                    byName[changed.topic]?.subscriptions[index] = changed
                }
            }
        }
    }

    /// Ends a subscription. One that isn't there is no error.
    func unsubscribe(_ id: String) async throws {
        try await store.database.write { [store] transaction in
            guard let existing = try store.subscription(id, transaction) else { return }
            try store.deleteSubscription(id, transaction)
            transaction.onCommit {
                self.byName.withLock { $0[existing.topic]?.subscriptions.removeAll { $0.id == id } }
            }
        }
    }

    private static func check(_ attributes: [String: String]) throws(AWSError) {
        let known: Set<String> = [
            "DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId", "SignatureVersion", "TracingConfig",
        ]
        for name in attributes.keys.sorted() where !known.contains(name) {
            if name == "FifoTopic", attributes[name]?.lowercased() == "false" { continue }
            throw .invalidParameter("AttributeName: \(name)")
        }
        if let version = attributes["SignatureVersion"], version != "1", version != "2" {
            throw .invalidParameter("SignatureVersion must be 1 or 2")
        }
    }
}

// MARK: Publishing

extension Topics {
    /// Delivers notifications to the queues that want them: all copies of all of them are in one transaction, and on
    /// disk when this returns.
    func publish(_ notifications: [Notification], to name: String, caller: Caller) async throws {
        let topic = try get(name)
        let plans = notifications.map { plan($0, topic, caller) }.filter { !$0.raw.isEmpty || !$0.enveloped.isEmpty }
        guard !plans.isEmpty else { return }
        try await store.database.write { [store, clock, queues] transaction in
            var ids: [String: Int64?] = [:]
            var arrivals: [String: [QueuedMessage]] = [:]
            for plan in plans {
                for (content, subscriptions) in [(plan.rawContent, plan.raw), (plan.envelope, plan.enveloped)] {
                    let now = clock.now()
                    var targets: [String] = []
                    var copies: [BrokerStore.Copy] = []
                    for subscription in subscriptions {
                        let target = subscription.queue
                        if ids[target] == nil { ids[target] = .some(try store.queueID(target, transaction)) }
                        // A queue that was deleted just now gets nothing; nor does one that takes no message so large.
                        guard let id = ids[target] ?? nil, let queue = queues.find(target),
                            let content, content.body.utf8.count <= queue.record.attributes.maximumMessageSize
                        else { continue }
                        targets.append(target)
                        copies.append(
                            BrokerStore.Copy(
                                queue: id, messageID: MessageID.make(),
                                visibleAt: now + queue.record.attributes.delay,
                                subscription: content.hole == nil ? nil : subscription.id))
                    }
                    guard let content, !copies.isEmpty else { continue }
                    let stored = try store.insert(content, copies: copies, sentAt: now, transaction)
                    for (target, message) in zip(targets, stored) { arrivals[target, default: []].append(message) }
                }
            }
            transaction.onCommit { [arrivals] in
                for (target, messages) in arrivals { queues.find(target)?.accept(messages) }
            }
        }
    }

    /// Who gets a notification, and in which forms.
    private struct Plan: Sendable {
        var raw: [Subscription] = []
        var enveloped: [Subscription] = []
        var rawContent: MessageContent?
        var envelope: MessageContent?
    }

    private func plan(_ notification: Notification, _ topic: Topic, _ caller: Caller) -> Plan {
        var plan = Plan()
        for subscription in topic.subscriptions where subscription.wants(notification) {
            if subscription.isRaw { plan.raw.append(subscription) } else { plan.enveloped.append(subscription) }
        }
        if !plan.raw.isEmpty { plan.rawContent = notification.raw(sender: caller.account) }
        if !plan.enveloped.isEmpty {
            plan.envelope = notification.enveloped(topic: topic.name, at: clock.now(), caller: caller)
        }
        return plan
    }
}
