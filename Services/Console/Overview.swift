import Contracts
import Foundation

/// The state of the shop at one moment: services, topics, queues and what is between them.
struct Overview: Codable, Equatable, Sendable {
    struct Service: Codable, Equatable, Sendable {
        var name: String
        /// `ready`, `degraded`, `starting` or `unavailable`, in its own words; `down` when it doesn't answer.
        var status: String
        /// What is the matter, in sentences.
        var detail: String?
        var requestsPerSecond: Double
        var errorsPerSecond: Double
        var handledPerSecond: Double
        /// Messages that failed and come again, or are among the dead letters.
        var failedPerSecond: Double
        /// Messages that wait until the broker takes them.
        var outboxDepth: Int?
        var duplicates: Int
    }

    struct Topic: Codable, Equatable, Sendable {
        var name: String
        var publisher: String
        var publishedPerSecond: Double
    }

    struct Queue: Codable, Equatable, Sendable {
        var name: String
        var visible: Int
        var inFlight: Int
        var delayed: Int
        var oldestSeconds: Double
        var sentPerSecond: Double
        var deletedPerSecond: Double
        var deadLetters: Int
    }

    struct Subscription: Codable, Equatable, Sendable {
        var topic: String
        var queue: String
        var types: [String]
    }

    var at: Date
    var services: [Service]
    var topics: [Topic]
    var queues: [Queue]
    var subscriptions: [Subscription]
}

extension Overview {
    /// What one look at a service has shown.
    struct Look: Sendable {
        /// `nil` when it did not answer.
        var readiness: Readiness?
        var scrape: Scrape?
        var at: ContinuousClock.Instant

        /// Another number whenever the service may have changed something: it was asked to, or has handled a message.
        var activity: Double? {
            guard let scrape else { return nil }
            let requests = scrape.sum("http_server_request_duration_seconds_count") {
                !["GET", "HEAD"].contains($0["http_request_method"])
            }
            return (requests ?? 0) + (scrape.sum("messaging_client_consumed_messages_total") ?? 0)
        }
    }

    /// The part of `/health/ready` that is shown.
    struct Readiness: Decodable, Equatable, Sendable {
        struct Check: Decodable, Equatable, Sendable {
            var ready: Bool
            var detail: String?
        }

        var status: String
        var checks: [String: Check]

        var detail: String? {
            let lacks = checks.filter { !$0.value.ready }.sorted { $0.key < $1.key }
                .map { name, check in check.detail.flatMap { $0.isEmpty ? nil : $0 } ?? "\(name) isn't ready" }
            return lacks.isEmpty ? nil : lacks.joined(separator: "; ")
        }
    }

    /// Counters become rates by what they were at the look before.
    init(_ looks: [String: Look], before: [String: Look], order: [String], topology: Topology, at time: Date) {
        at = time
        services = order.map { Service($0, look: looks[$0], before: before[$0]) }
        let rates = Rates(look: looks["broker"], before: before["broker"])
        let scrape = looks["broker"]?.scrape
        let published = rates.perSecond("broker_messages_published_total", by: "topic")
        topics = topology.topics.map { topic in
            Topic(
                name: topic.rawValue, publisher: String(topic.rawValue.prefix { $0 != "-" }),
                publishedPerSecond: published[topic.rawValue] ?? 0)
        }
        let sent = rates.perSecond("broker_messages_sent_total", by: "queue")
        let deleted = rates.perSecond("broker_messages_deleted_total", by: "queue")
        func gauge(_ name: String) -> [String: Double] { scrape?.values(name, by: "queue") ?? [:] }
        let visible = gauge("broker_queue_messages")
        let inFlight = gauge("broker_queue_messages_in_flight")
        let delayed = gauge("broker_queue_messages_delayed")
        let oldest = gauge("broker_queue_oldest_message_age_seconds")
        queues = topology.queues.map { queue in
            let name = queue.rawValue
            let letters = queue.deadLetters.rawValue
            return Queue(
                name: name, visible: Int(visible[name] ?? 0), inFlight: Int(inFlight[name] ?? 0),
                delayed: Int(delayed[name] ?? 0), oldestSeconds: oldest[name] ?? 0, sentPerSecond: sent[name] ?? 0,
                deletedPerSecond: deleted[name] ?? 0,
                deadLetters: Int((visible[letters] ?? 0) + (inFlight[letters] ?? 0)))
        }
        subscriptions = topology.subscriptions.map {
            Subscription(topic: $0.topic.rawValue, queue: $0.queue.rawValue, types: $0.types)
        }
    }
}

extension Overview.Service {
    fileprivate init(_ name: String, look: Overview.Look?, before: Overview.Look?) {
        let rates = Rates(look: look, before: before)
        let consumed = "messaging_client_consumed_messages_total"
        self.name = name
        status = look?.readiness?.status ?? "down"
        detail = look?.readiness == nil ? "It does not answer." : look?.readiness?.detail
        let requests = "http_server_request_duration_seconds_count"
        requestsPerSecond = rates.perSecond(requests) { !Self.isOperational($0) }
        errorsPerSecond = rates.perSecond(requests) {
            $0["http_response_status_code"]?.hasPrefix("5") == true && !Self.isOperational($0)
        }
        handledPerSecond = rates.perSecond(consumed) { $0["outcome"] == "acknowledged" }
        failedPerSecond = rates.perSecond(consumed) { ["retried", "dead_lettered"].contains($0["outcome"]) }
        outboxDepth = look?.scrape?.sum("outbox_depth").map { Int($0) }
        duplicates = Int(look?.scrape?.sum("inbox_duplicates_total") ?? 0)
    }

    /// The console's own looks, and those of whoever else watches.
    private static func isOperational(_ labels: [String: String]) -> Bool {
        let route = labels["http_route"] ?? ""
        return route.hasPrefix("/health/") || route == "/metrics"
    }
}

/// How fast counters have grown between two looks. One that has become smaller belongs to a new life of its process.
private struct Rates {
    let look: Overview.Look?
    let before: Overview.Look?

    private var seconds: Double {
        guard let look, let before else { return 0 }
        return (look.at - before.at) / .seconds(1)
    }

    func perSecond(_ name: String, where matches: ([String: String]) -> Bool = { _ in true }) -> Double {
        guard seconds > 0, let now = look?.scrape?.sum(name, where: matches) else { return 0 }
        // A counter appears with its first increment.
        let then = before?.scrape.map { $0.sum(name, where: matches) ?? 0 } ?? now
        return max(0, now - then) / seconds
    }

    func perSecond(_ name: String, by label: String) -> [String: Double] {
        let names = look?.scrape?.values(name, by: label).keys.map(\.self) ?? []
        return Dictionary(uniqueKeysWithValues: names.map { key in (key, perSecond(name) { $0[label] == key }) })
    }
}
