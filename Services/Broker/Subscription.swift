import Foundation
import NIOCore

/// Somebody who wants what is published to a topic: a queue, or an HTTP endpoint.
struct Subscription: Sendable {
    enum Kind: String, Sendable {
        case sqs, http, https

        /// An HTTP endpoint must agree, and is sent what it gets.
        var isHTTP: Bool { self != .sqs }
    }

    /// How far it is with the endpoint's consent.
    enum State: String, Sendable {
        /// The endpoint has yet to confirm.
        case pending
        case confirmed
        /// Unsubscribed; the endpoint may take it back until the token expires.
        case ended
    }

    struct Consent: Sendable, Equatable {
        var state = State.confirmed
        /// What the endpoint confirms with, and until when it can.
        var token: String?
        var tokenExpiresAt: Milliseconds?
        /// Whether the confirmation was signed.
        var wasAuthenticated = true
        /// Whether only signed requests may unsubscribe.
        var guardsUnsubscribe = false

        /// Tokens are valid for two days.
        static let lifetime: Milliseconds = 2 * 86_400_000

        static func asked(_ state: State, at now: Milliseconds) -> Consent {
            var random = SystemRandomNumberGenerator()
            let token = (0..<4).map { _ in
                let digits = String(random.next(), radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }
            return Consent(
                state: state, token: token.joined(), tokenExpiresAt: now + lifetime, wasAuthenticated: false)
        }
    }

    let id: String
    let topic: String
    /// Where it was made, for its ARN.
    let region: String
    let kind: Kind
    /// The ARN of the queue or the URL, as the subscriber gave it.
    let endpoint: String
    var attributes: SubscriptionAttributes
    var consent: Consent
    /// Where its notifications wait: the queue that it is for, or for an HTTP endpoint one that no client can name.
    let queue: String

    init(
        id: String, topic: String, region: String, kind: Kind, endpoint: String, attributes: SubscriptionAttributes,
        consent: Consent = Consent()
    ) throws(AWSError) {
        switch kind {
        case .sqs:
            guard let name = ResourceName.queue(fromARN: endpoint) else {
                throw .invalidParameter("SQS endpoint ARN")
            }
            queue = name
        case .http, .https:
            guard endpoint.hasPrefix("\(kind.rawValue)://") else {
                throw .invalidParameter("Endpoint must match the specified protocol")
            }
            guard endpoint.utf8.count <= 2048, let url = URL(string: endpoint), url.host()?.isEmpty == false else {
                throw .invalidParameter("Endpoint Reason: it must be a URL with a host")
            }
            queue = ResourceName.deliveries(topic: topic, subscription: id)
        }
        self.id = id
        self.topic = topic
        self.region = region
        self.kind = kind
        self.endpoint = endpoint
        self.attributes = attributes
        self.consent = consent
    }

    /// Whether another has the same endpoint. The ARNs of a queue differ by the regions of those who subscribed it.
    func leads(where other: Subscription) -> Bool {
        kind == other.kind && (kind.isHTTP ? endpoint == other.endpoint : queue == other.queue)
    }

    /// Checks what is subscribed anew; what was subscribed before stays, and is given up when it is sent something.
    func checkEndpoint() throws(AWSError) {
        guard !kind.isHTTP || Self.canBeReached(endpoint) else {
            throw .invalidParameter("Endpoint Reason: it must be a URL with a host, and a port from 1 to 65535 if any")
        }
    }

    /// Whether a URL names a host and a port that there can be. The HTTP client counts on it: a port beyond the last, or
    /// a host of which nothing is left when it is decoded, ends the process.
    static func canBeReached(_ endpoint: String) -> Bool {
        guard let url = URL(string: endpoint), let host = url.host(percentEncoded: true), !host.isEmpty,
            url.port.map((1...65_535).contains) ?? true
        else { return false }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let bare = isBracketed ? String(host.dropFirst().dropLast()) : host
        if (try? SocketAddress(ipAddress: bare, port: 0)) != nil { return true }
        let others = "-._".utf8
        return host.utf8.allSatisfy { $0.isLetterOrDigit || others.contains($0) }
    }

    /// A FIFO queue takes part only where the topic is one too, and then its dead-letter queue is one.
    func checkTogether() throws(AWSError) {
        guard !topic.hasSuffix(ResourceName.fifoSuffix) else {
            let isFIFO = kind == .sqs && queue.hasSuffix(ResourceName.fifoSuffix)
            guard !isFIFO || attributes.deadLetterQueue?.hasSuffix(ResourceName.fifoSuffix) != false else {
                throw .invalidParameter(
                    "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
            }
            return
        }
        guard kind != .sqs || !queue.hasSuffix(ResourceName.fifoSuffix) else {
            throw .invalidParameter(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
        }
        guard attributes.deadLetterQueue?.hasSuffix(ResourceName.fifoSuffix) != true else {
            throw .invalidParameter("RedrivePolicy: must use a standard queue as DLQ for a standard topic.")
        }
    }

    func wants(_ notification: Notification) -> Bool {
        guard consent.state == .confirmed else { return false }
        return attributes.filter?.matches(body: notification.message(for: kind), attributes: notification.attributes)
            ?? true
    }

    func topicARN(account: String) -> String { "arn:aws:sns:\(region):\(account):\(topic)" }
    func arn(account: String) -> String { "\(topicARN(account: account)):\(id)" }
}

/// The attributes of a subscription that can be set, checked, and what follows from them.
struct SubscriptionAttributes: Sendable {
    /// As they were set.
    let values: [String: String]
    let filter: FilterPolicy?
    let isRaw: Bool
    /// The queue for what can't be delivered.
    let deadLetterQueue: String?
    let deliveryPolicy: DeliveryPolicy.Overrides?

    /// - Parameter isStored: whether they were taken before; then they hold, whatever is taken now.
    /// - Throws: `InvalidParameter` with what is wrong.
    init(_ values: [String: String], isStored: Bool = false) throws(AWSError) {
        let known: Set = [
            "DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy",
            "SubscriptionRoleArn",
        ]
        guard values.keys.allSatisfy(known.contains) else { throw .invalidParameter("AttributeName") }
        self.values = values
        isRaw = try Self.flag(values["RawMessageDelivery"])
        filter = try Self.filter(values["FilterPolicy"], scope: values["FilterPolicyScope"], isStored: isStored)
        deadLetterQueue =
            if let policy = values["RedrivePolicy"], !policy.isEmpty { try Self.deadLetterQueue(policy) } else { nil }
        let policy = values["DeliveryPolicy"] ?? ""
        deliveryPolicy = policy.isEmpty ? nil : try DeliveryPolicy.Overrides(policy)
    }

    func setting(_ name: String, to value: String) throws(AWSError) -> SubscriptionAttributes {
        var values = values
        // An empty policy is none; an empty flag is a mistake.
        values[name] = value.isEmpty && name.hasSuffix("Policy") ? nil : value
        return try SubscriptionAttributes(values, isStored: name != "FilterPolicy")
    }

    /// Whether all that another one asks for is so here, however its policy is spelled.
    func grant(_ wanted: SubscriptionAttributes) -> Bool {
        wanted.values.allSatisfy { name, value in
            switch name {
            case "FilterPolicy": filter?.condition == wanted.filter?.condition
            case "FilterPolicyScope": values[name] ?? FilterPolicy.Scope.attributes.rawValue == value
            case "RawMessageDelivery": isRaw == wanted.isRaw
            case "RedrivePolicy": deadLetterQueue == wanted.deadLetterQueue
            case "DeliveryPolicy": deliveryPolicy == wanted.deliveryPolicy
            default: values[name] == value
            }
        }
    }

    private static func flag(_ value: String?) throws(AWSError) -> Bool {
        switch value?.lowercased() {
        case nil, "false": return false
        case "true": return true
        default:
            throw .invalidParameter("RawMessageDelivery: Invalid value [\(value ?? "")]. Must be true or false.")
        }
    }

    private static func filter(
        _ policy: String?, scope: String?, isStored: Bool
    ) throws(AWSError) -> FilterPolicy? {
        guard let scope = scope.map(FilterPolicy.Scope.init(rawValue:)) ?? .attributes else {
            throw .invalidParameter(
                "FilterPolicyScope: Invalid value [\(scope ?? "")]. Please use either MessageBody or MessageAttributes")
        }
        guard let policy, !policy.isEmpty else { return nil }
        let filter = try FilterPolicy(policy, scope: scope, isStored: isStored)
        return filter.condition == .all([]) ? nil : filter
    }

    private static func deadLetterQueue(_ policy: String) throws(AWSError) -> String {
        guard let members = (try? JSONValue(parsing: policy))?.object else {
            throw .invalidParameter("RedrivePolicy: failed to parse JSON.")
        }
        guard let queue = members["deadLetterTargetArn"]?.string.flatMap(ResourceName.queue(fromARN:)) else {
            throw .invalidParameter("RedrivePolicy: deadLetterTargetArn is an invalid arn")
        }
        return queue
    }
}

extension AWSError {
    /// The same, said of the attributes of a request that has several.
    var amongAttributes: AWSError {
        let prefix = "Invalid parameter: "
        guard code == "InvalidParameter", message.hasPrefix(prefix) else { return self }
        return .invalidParameter("Attributes Reason: \(message.dropFirst(prefix.count))")
    }
}
