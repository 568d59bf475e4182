/// What the HELP lines say of the metrics that the libraries in Shared measure, by label. A service describes its own with
/// ``PrometheusRegistry/describe(_:_:)``.
///
/// They stand together because most of those who measure know only swift-metrics, which has no place for it; so this is
/// also the list of what there is to watch.
enum MetricHelp {
    static let texts = [
        // ServiceKit
        "http.server.request.duration": "Time from a request's head to its answer's head.",
        "http.server.active_requests": "Requests that are being worked on.",
        "http.server.event_streams": "Streams of server-sent events that are open.",
        "http.server.event_streams.cut_off": "Streams that were ended because their reader did not read.",
        // Messaging
        "messaging.delivery.lag": "Time from the sending of a message until it was delivered, by queue.",
        "messaging.delivery.attempts": "Which delivery of a message it was, by queue; 1 is the first.",
        "messaging.client.consumed.messages": "Deliveries by queue and by what became of them.",
        "messaging.client.sent.messages": "Messages that the broker has taken from the outbox.",
        "messaging.client.requests": "Requests for a reply that came from a queue, by what became of them.",
        "messaging.client.replies": "Replies that came, by whether somebody still waited.",
        // Outbox
        "outbox.depth": "Messages that the broker has not yet taken, when last looked at.",
        "outbox.oldest_age_seconds": "How long the oldest of them had waited.",
        "inbox.duplicates": "Messages that had been handled before and were skipped.",
        "effects": "Tries of effects outside the database, by kind and by what became of them.",
        // Persistence
        "sqlite.commit.writes": "Writes that shared a commit.",
        "sqlite.commit.duration": "Time from a commit's first statement until it was on disk.",
        // Telemetry
        "otlp.spans.exported": "Spans that the OTLP receiver has accepted.",
        "otlp.spans.dropped": "Spans that were lost, and why.",
    ]
}
