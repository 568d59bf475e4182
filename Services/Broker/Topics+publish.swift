import Persistence

/// What publishing means.
extension Topics {
    /// Delivers notifications to the queues that want them, and puts them before the endpoints that do: all copies of
    /// all of them are in one transaction, and on disk when this returns.
    func publish(_ notifications: [Notification], to topic: Topic, caller: Caller) async throws {
        let groups = try groups(notifications, topic, caller)
        topic.metrics.published.increment(by: notifications.count)
        guard !groups.isEmpty else { return }
        try await store.database.write { [store, clock, queues] transaction in
            let now = clock.now()
            var arrivals: [String: [QueuedMessage]] = [:]
            var outcomes: [TopicMetrics.Outcome: Int] = [:]
            for group in groups {
                for (index, content) in group.contents.enumerated() {
                    var targets: [String] = []
                    var copies: [BrokerStore.Copy] = []
                    for part in group.parts where part.members.contains(index) {
                        guard let target = try self.target(of: part.subscription, content, transaction) else {
                            outcomes[.failed, default: 0] += 1
                            continue
                        }
                        // Endpoints are told the notification's own id.
                        let id = part.subscription.kind.isHTTP ? notifications[index].messageID : MessageID.make()
                        targets.append(target.queue.name)
                        copies.append(
                            BrokerStore.Copy(
                                queue: target.id, messageID: id,
                                visibleAt: now + target.queue.record.attributes.delay,
                                subscription: group.form.isRaw ? nil : part.subscription.id))
                        if !part.subscription.kind.isHTTP {
                            outcomes[target.isDeadLetter ? .redriven : .delivered, default: 0] += 1
                        }
                    }
                    guard !copies.isEmpty else { continue }
                    let stored = try store.insert(content, copies: copies, sentAt: now, transaction)
                    for (target, message) in zip(targets, stored) { arrivals[target, default: []].append(message) }
                }
            }
            transaction.onCommit { [arrivals, outcomes] in
                for (target, messages) in arrivals { queues.find(target)?.accept(messages) }
                for (outcome, count) in outcomes { topic.metrics.count(outcome, count) }
            }
        }
    }

    /// Where a notification goes: to the subscriber's queue or, if that was deleted or takes no message so large, to
    /// the subscription's dead-letter queue.
    func target(
        of subscription: Subscription, _ content: MessageContent, _ transaction: any Transaction
    ) throws -> (id: Int64, queue: MessageQueue, isDeadLetter: Bool)? {
        for (name, isDeadLetter) in [(subscription.queue, false), (subscription.attributes.deadLetterQueue, true)] {
            guard let name, let id = try store.queueID(name, transaction), let queue = queues.find(name),
                content.body.utf8.count <= queue.record.attributes.maximumMessageSize
            else { continue }
            return (id, queue, isDeadLetter)
        }
        return nil
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
