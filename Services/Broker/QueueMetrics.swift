import Metrics
import Telemetry

/// What is counted for each queue.
struct QueueMetrics: Sendable {
    let sent: Counter
    let received: Counter
    let deleted: Counter
    let redriven: Counter
    let expired: Counter
    private let visible: Gauge
    private let delayed: Gauge
    private let inFlight: Gauge
    private let oldestAge: Gauge

    init(queue: String) {
        let labels = [("queue", queue)]
        sent = Counter(label: "broker_messages_sent", dimensions: labels)
        received = Counter(label: "broker_messages_received", dimensions: labels)
        deleted = Counter(label: "broker_messages_deleted", dimensions: labels)
        redriven = Counter(label: "broker_messages_redriven", dimensions: labels)
        expired = Counter(label: "broker_messages_expired", dimensions: labels)
        visible = Gauge(label: "broker_queue_messages", dimensions: labels)
        delayed = Gauge(label: "broker_queue_messages_delayed", dimensions: labels)
        inFlight = Gauge(label: "broker_queue_messages_in_flight", dimensions: labels)
        oldestAge = Gauge(label: "broker_queue_oldest_message_age_seconds", dimensions: labels)
    }

    /// Forgets them when the queue is gone: it would else be shown for ever, as it was last.
    func destroy() {
        for counter in [sent, received, deleted, redriven, expired] { counter.destroy() }
        for gauge in [visible, delayed, inFlight, oldestAge] { gauge.destroy() }
    }

    static func describe(in registry: PrometheusRegistry) {
        registry.describe("broker_messages_sent", "Messages that came into a queue.")
        registry.describe("broker_messages_received", "Deliveries; a message may be delivered more than once.")
        registry.describe("broker_messages_deleted", "Messages that their receivers were done with.")
        registry.describe("broker_messages_redriven", "Messages that went to the dead-letter queue.")
        registry.describe("broker_messages_expired", "Messages that nobody received in time.")
        registry.describe("broker_queue_messages", "Messages that can be received now.")
        registry.describe("broker_queue_messages_delayed", "Messages whose time has not come yet.")
        registry.describe("broker_queue_messages_in_flight", "Messages that somebody has received and not yet deleted.")
        registry.describe("broker_queue_oldest_message_age_seconds", "How long ago the oldest message was sent.")
    }

    func update(_ counts: QueueState.Counts, now: Milliseconds) {
        visible.record(counts.visible)
        delayed.record(counts.delayed)
        inFlight.record(counts.inFlight)
        oldestAge.record(counts.oldestSentAt.map { Double(now - $0) / 1000 } ?? 0)
    }
}
