import Metrics

/// What is counted for each topic, by the names that Amazon counts under.
struct TopicMetrics: Sendable {
    let published: Counter
    private let outcomes: [Outcome: Counter]

    /// What became of a notification for one subscriber.
    enum Outcome: String, Sendable, CaseIterable {
        /// It is in the subscriber's queue, or the endpoint has accepted it.
        case delivered
        /// The subscriber's filter policy doesn't want it.
        case filtered
        /// The endpoint has failed and is tried again.
        case retried
        /// It can't be delivered.
        case failed
        /// It can't be delivered and is in the dead-letter queue.
        case redriven
    }

    init(topic: String) {
        published = Counter(label: "broker_messages_published", dimensions: [("topic", topic)])
        outcomes = Dictionary(
            uniqueKeysWithValues: Outcome.allCases.map {
                ($0, Counter(label: "broker_notifications_\($0.rawValue)", dimensions: [("topic", topic)]))
            })
    }

    func count(_ outcome: Outcome, _ count: Int = 1) {
        if count > 0 { outcomes[outcome]?.increment(by: count) }
    }
}
