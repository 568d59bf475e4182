import Persistence

/// What publishing in groups means: to a FIFO topic, or to a standard one with a group that its queues are told.
extension Topics {
    /// Delivers notifications in their order, one after the other in one transaction, and says what each is answered
    /// with. One that a FIFO topic was sent in the last five minutes is not delivered again.
    func publishInGroups(
        _ notifications: [Notification], to topic: Topic, caller: Caller
    ) async throws -> [BrokerStore.Sent] {
        let envelope = envelope(of: topic, caller)
        topic.metrics.published.increment(by: notifications.count)
        return try await store.database.write { [store, clock, queues] transaction in
            let now = clock.now()
            var arrivals: [String: [QueuedMessage]] = [:]
            var outcomes: [TopicMetrics.Outcome: Int] = [:]
            let sent = try notifications.map { notification in
                let owner = BrokerStore.owner(topic: topic.name)
                let scope = topic.attributes.deduplicatesByGroup ? notification.group ?? "" : ""
                if let id = notification.deduplicationID,
                    let original = try store.original(
                        of: id, owner: owner, scope: scope, now: now, transaction)
                {
                    return original
                }
                let sent = BrokerStore.Sent(
                    messageID: notification.messageID, sequence: try store.sequences.take(1, transaction))
                var numbered = notification
                numbered.sequenceNumber = topic.attributes.isFIFO ? sent.sequenceNumber : nil
                try self.deliver(
                    numbered, of: topic, in: envelope, now: now, &arrivals, &outcomes, transaction)
                if let id = notification.deduplicationID {
                    try store.remember(
                        sent, deduplicationID: id, owner: owner, scope: scope, now: now, transaction)
                }
                return sent
            }
            transaction.onCommit { [arrivals, outcomes] in
                for (target, messages) in arrivals { queues.find(target)?.accept(messages) }
                for (outcome, count) in outcomes { topic.metrics.count(outcome, count) }
            }
            return sent
        }
    }

    /// Stores a notification's copies, with its body once in each of its forms.
    private func deliver(
        _ notification: Notification, of topic: Topic, in envelope: TopicEnvelope, now: Milliseconds,
        _ arrivals: inout [String: [QueuedMessage]], _ outcomes: inout [TopicMetrics.Outcome: Int],
        _ transaction: any Transaction
    ) throws {
        let wanting = topic.subscriptions.filter { $0.consent.state == .confirmed && $0.wants(notification) }
        for isRaw in [true, false] {
            for (kind, subscriptions) in Dictionary(
                grouping: wanting.filter { $0.attributes.isRaw == isRaw }, by: \.kind)
            {
                let content =
                    isRaw
                    ? notification.raw(for: kind, sender: envelope.caller.account)
                    : try notification.enveloped(for: kind, topic: envelope)
                var places: [Place] = []
                for subscription in subscriptions {
                    guard let target = try targets(of: subscription, transaction).first(where: { $0.takes(content) })
                    else {
                        outcomes[.failed, default: 0] += 1
                        continue
                    }
                    if try isDuplicate(notification, in: target, now: now, transaction) { continue }
                    if !kind.isHTTP { outcomes[target.isDeadLetter ? .redriven : .delivered, default: 0] += 1 }
                    places.append((subscription, target))
                }
                try store(content, notification, places, now: now, &arrivals, transaction)
            }
        }
    }

    private typealias Place = (subscription: Subscription, target: Target)

    private func store(
        _ content: MessageContent, _ notification: Notification, _ places: [Place], now: Milliseconds,
        _ arrivals: inout [String: [QueuedMessage]], _ transaction: any Transaction
    ) throws {
        guard !places.isEmpty else { return }
        let copies = places.map { subscription, target in
            let queue = target.queue.record.attributes
            return BrokerStore.Copy(
                queue: target.id,
                messageID: subscription.kind.isHTTP ? notification.messageID : MessageID.make(),
                visibleAt: now + queue.delay, subscription: content.hole == nil ? nil : subscription.id,
                // What groups a FIFO topic tells its FIFO queues alone.
                group: queue.isFIFO || notification.sequenceNumber == nil ? notification.group : nil,
                deduplicationID: queue.isFIFO ? notification.deduplicationID : nil,
                isOrdered: queue.isFIFO)
        }
        let stored = try store.insert(content, copies: copies, sentAt: now, transaction)
        for ((_, target), message) in zip(places, stored) {
            arrivals[target.queue.name, default: []].append(message)
            let sent = BrokerStore.Sent(messageID: message.messageID, sequence: message.sequence)
            try target.queue.remember(
                sent, group: notification.group, deduplicationID: notification.deduplicationID, in: target.id, now: now,
                transaction)
        }
    }

    /// Whether a FIFO queue has the notification from elsewhere.
    private func isDuplicate(
        _ notification: Notification, in target: Target, now: Milliseconds, _ transaction: any Transaction
    ) throws -> Bool {
        try target.queue.original(
            group: notification.group, deduplicationID: notification.deduplicationID, in: target.id, now: now,
            transaction) != nil
    }
}
