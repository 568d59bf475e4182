import Persistence

/// What publishing means.
extension Topics {
    /// Delivers notifications to the queues that want them, and puts them before the endpoints that do: all copies of
    /// all of them are in one transaction, and on disk when this returns.
    /// - Parameter ids: those of the notifications.
    func publish(_ notifications: [Notification], ids: MessageIDs, to topic: Topic, caller: Caller) async throws {
        let groups = try groups(notifications, topic, caller)
        topic.metrics.published.increment(by: notifications.count)
        guard !groups.isEmpty else { return }
        try await store.database.write { [store, clock] transaction in
            let now = clock.now()
            var arrivals: [(queue: MessageQueue, messages: [QueuedMessage])] = []
            var outcomes: [TopicMetrics.Outcome: Int] = [:]
            for group in groups {
                let shares = try group.parts.flatMap { part in
                    try self.shares(of: part, in: group, ids: ids, now: now, &outcomes, transaction)
                }
                guard !shares.isEmpty else { continue }
                let stored = try store.insert(group.contents, shares: shares.map(\.share), sentAt: now, transaction)
                arrivals += zip(shares, stored).map { (queue: $0.queue, messages: $1) }
            }
            transaction.onCommit { [arrivals, outcomes] in
                for (queue, messages) in arrivals { queue.accept(messages) }
                for (outcome, count) in outcomes { topic.metrics.count(outcome, count) }
            }
        }
    }

    /// What a subscription gets of a group: mostly all of it in one queue.
    private func shares(
        of part: Part, in group: Group, ids: MessageIDs, now: Milliseconds,
        _ outcomes: inout [TopicMetrics.Outcome: Int], _ transaction: any Transaction
    ) throws -> [(queue: MessageQueue, share: BrokerStore.NewShare)] {
        let isHTTP = part.subscription.kind.isHTTP
        let targets = try targets(of: part.subscription, transaction)
        let places = Dictionary(grouping: part.members) { member in
            targets.firstIndex { $0.takes(group.contents[member]) }
        }
        return places.compactMap { place, members in
            guard let place else {
                outcomes[.failed, default: 0] += members.count
                return nil
            }
            let target = targets[place]
            if !isHTTP { outcomes[target.isDeadLetter ? .redriven : .delivered, default: 0] += members.count }
            return (
                target.queue,
                BrokerStore.NewShare(
                    queue: target.id, visibleAt: now + target.queue.record.attributes.delay, members: members,
                    // Endpoints are told the notification's own id.
                    ids: isHTTP ? ids : MessageIDs(), subscription: group.form.isRaw ? nil : part.subscription.id)
            )
        }
    }

    /// A queue that notifications of a subscription go to.
    struct Target {
        let id: Int64
        let queue: MessageQueue
        let isDeadLetter: Bool

        func takes(_ content: MessageContent) -> Bool {
            content.body.utf8.count <= queue.record.attributes.maximumMessageSize
        }
    }

    /// Where notifications go: to the subscriber's queue or, if that was deleted or takes no message so large, to the
    /// subscription's dead-letter queue.
    func targets(of subscription: Subscription, _ transaction: any Transaction) throws -> [Target] {
        try [(subscription.queue, false), (subscription.attributes.deadLetterQueue, true)].compactMap {
            (name, isDeadLetter) in
            guard let name, let id = try store.queueID(name, transaction), let queue = queues.find(name) else {
                return nil
            }
            return Target(id: id, queue: queue, isDeadLetter: isDeadLetter)
        }
    }

    /// How a notification is written.
    private struct Form: Hashable {
        let isRaw: Bool
        let kind: Subscription.Kind
    }

    /// Notifications in one form, and who gets which of them.
    private struct Group: Sendable {
        let form: Form
        let contents: [MessageContent]
        let parts: [Part]
    }

    private struct Part: Sendable {
        let subscription: Subscription
        let members: [Int]
    }

    private func groups(_ notifications: [Notification], _ topic: Topic, _ caller: Caller) throws -> [Group] {
        // Without variants all kinds of subscribers get the same text.
        let hasVariants = notifications.contains { !$0.variants.isEmpty }
        var parts: [Form: [Part]] = [:]
        for subscription in topic.subscriptions where subscription.consent.state == .confirmed {
            let members = notifications.indices.filter { subscription.wants(notifications[$0]) }
            topic.metrics.count(.filtered, notifications.count - members.count)
            guard !members.isEmpty else { continue }
            let form = Form(isRaw: subscription.attributes.isRaw, kind: hasVariants ? subscription.kind : .sqs)
            parts[form, default: []].append(Part(subscription: subscription, members: members))
        }
        let envelope = parts.keys.allSatisfy(\.isRaw) ? nil : envelope(of: topic, caller)
        return try parts.map { form, parts in
            let contents = try notifications.map { notification in
                if !form.isRaw, let envelope {
                    return try notification.enveloped(for: form.kind, topic: envelope)
                }
                return notification.raw(for: form.kind, sender: caller.account)
            }
            return Group(form: form, contents: contents, parts: parts)
        }
    }
}
