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

    func update(_ counts: QueueState.Counts, now: Milliseconds) {
        visible.record(counts.visible)
        delayed.record(counts.delayed)
        inFlight.record(counts.inFlight)
        oldestAge.record(counts.oldestSentAt.map { Double(now - $0) / 1000 } ?? 0)
    }
}

/// What is counted for the commits that the writes of all queues share.
struct CommitMetrics: Sendable {
    private let writes: Recorder
    private let time: Metrics.Timer

    init(_ registry: PrometheusRegistry) {
        registry.describe("broker_commit_writes", "Requests that shared a commit.")
        registry.describe("broker_commit", "Time from the first statement of a commit until it was on disk.")
        writes = Recorder(label: "broker_commit_writes", factory: registry)
        time = Metrics.Timer(label: "broker_commit", factory: registry)
    }

    func record(_ writes: Int, _ duration: Duration) {
        self.writes.record(writes)
        time.recordNanoseconds(Int64(duration / .nanoseconds(1)))
    }
}
