import Metrics
import Telemetry

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

        fileprivate var help: String {
            switch self {
            case .delivered: "Notifications that are in a subscriber's queue, or that its endpoint has accepted."
            case .filtered: "Notifications that a subscriber's filter policy does not want."
            case .retried: "Notifications that an endpoint has failed to take and is offered again."
            case .failed: "Notifications that can't be delivered."
            case .redriven: "Notifications that can't be delivered and are in the dead-letter queue."
            }
        }
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

    /// Forgets them when the topic is gone.
    func destroy() {
        published.destroy()
        for counter in outcomes.values { counter.destroy() }
    }

    static func describe(in registry: PrometheusRegistry) {
        registry.describe("broker_messages_published", "Messages that were published to a topic.")
        for outcome in Outcome.allCases { registry.describe("broker_notifications_\(outcome.rawValue)", outcome.help) }
    }
}
