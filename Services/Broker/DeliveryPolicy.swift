import Foundation

/// How notifications are delivered to an HTTP endpoint: when a failed one is tried again, how many a second are sent,
/// and as what content. Reference: "Amazon SNS message delivery retries".
struct DeliveryPolicy: Sendable, Equatable {
    var retry = RetrySchedule()
    /// `nil` for no limit.
    var maxReceivesPerSecond: Int?
    var contentType = Self.standardContentType

    static let standard = DeliveryPolicy()
    static let standardContentType = "text/plain; charset=UTF-8"

    /// What is given of a policy; `nil` stands for what holds otherwise: for a subscription its topic's, for a topic the
    /// standard.
    struct Overrides: Sendable, Equatable {
        var retry: RetrySchedule?
        var maxReceivesPerSecond: Int?
        var contentType: String?
    }

    func overridden(by overrides: Overrides) -> DeliveryPolicy {
        DeliveryPolicy(
            retry: overrides.retry ?? retry,
            maxReceivesPerSecond: overrides.maxReceivesPerSecond ?? maxReceivesPerSecond,
            contentType: overrides.contentType ?? contentType)
    }
}

/// When to try again after failures, as a value: four phases, each with its own delays.
struct RetrySchedule: Sendable, Equatable {
    /// How the delay grows from the least to the largest. Amazon shows these as curves and gives no formulas; ours have
    /// the growth that each is named for.
    enum Backoff: String, Sendable, Decodable {
        /// By the same amount each time.
        case linear
        /// By an amount that itself grows by the same amount.
        case arithmetic
        /// By the same factor.
        case geometric
        /// By an amount that doubles.
        case exponential
    }

    /// In seconds.
    var minDelay = 20
    var maxDelay = 20
    /// In all phases together.
    var retries = 3
    /// At once.
    var noDelayRetries = 0
    /// After the least delay, before the backoff.
    var minDelayRetries = 0
    /// After the largest delay, after the backoff.
    var maxDelayRetries = 0
    var backoff = Backoff.linear

    static let mostRetries = 100
    static let longestDelay = 3600
    /// All delays together, in milliseconds.
    static let longestTotal: Milliseconds = 3_600_000

    /// How long to wait after so many attempts, all of which failed; `nil` if there is to be no other.
    func delay(afterAttempts attempts: Int) -> Milliseconds? {
        guard 1...max(1, retries) ~= attempts, retries > 0 else { return nil }
        if attempts <= noDelayRetries { return 0 }
        if attempts <= noDelayRetries + minDelayRetries { return Milliseconds(minDelay) * 1000 }
        if attempts > retries - maxDelayRetries { return Milliseconds(maxDelay) * 1000 }
        let step = attempts - noDelayRetries - minDelayRetries
        let steps = retries - noDelayRetries - minDelayRetries - maxDelayRetries
        return Milliseconds(backoffDelay(step: step, of: steps) * 1000)
    }

    /// The first step has the least delay and the last the largest.
    private func backoffDelay(step: Int, of steps: Int) -> Double {
        guard steps > 1 else { return Double(minDelay) }
        let (done, all) = (Double(step - 1), Double(steps - 1))
        let share =
            switch backoff {
            case .linear: done / all
            case .arithmetic: done * (done + 1) / (all * (all + 1))
            case .exponential: (pow(2, done) - 1) / (pow(2, all) - 1)
            case .geometric: (pow(Double(maxDelay) / Double(minDelay), done / all) - 1) / max(1e-9, ratio - 1)
            }
        return Double(minDelay) + Double(maxDelay - minDelay) * share
    }

    private var ratio: Double { Double(maxDelay) / Double(minDelay) }

    /// All delays together.
    var total: Milliseconds { (0...retries).reduce(0) { $0 + (delay(afterAttempts: $1) ?? 0) } }
}

/// Spaces deliveries out so that no more than so many begin in a second.
struct Throttle: Sendable {
    private var next: Milliseconds = 0

    /// Takes the next place.
    /// - Returns: when it is.
    mutating func place(perSecond: Int, now: Milliseconds) -> Milliseconds {
        let place = max(now, next)
        next = place + max(1, 1000 / Milliseconds(perSecond))
        return place
    }
}

// MARK: Reading and writing

/// The `DeliveryPolicy` of a topic.
struct TopicDeliveryPolicy: Sendable, Equatable {
    var defaults = DeliveryPolicy.standard
    var disablesOverrides = false

    static let standard = TopicDeliveryPolicy()

    private struct Document: Decodable {
        struct HTTP: Decodable {
            let defaultHealthyRetryPolicy: RetrySchedule?
            let disableSubscriptionOverrides: Bool?
            let defaultThrottlePolicy: DeliveryPolicy.ThrottleDocument?
            let defaultRequestPolicy: DeliveryPolicy.RequestDocument?
        }

        let http: HTTP?
    }

    init() {}

    init(_ json: String) throws(AWSError) {
        let http = try DeliveryPolicy.decode(Document.self, json).http
        let given = try DeliveryPolicy.Overrides(
            http?.defaultHealthyRetryPolicy, http?.defaultThrottlePolicy, http?.defaultRequestPolicy)
        defaults = .standard.overridden(by: given)
        disablesOverrides = http?.disableSubscriptionOverrides ?? false
    }

    /// What holds for a subscription.
    func effective(_ overrides: DeliveryPolicy.Overrides?) -> DeliveryPolicy {
        guard let overrides, !disablesOverrides else { return defaults }
        return defaults.overridden(by: overrides)
    }

    /// As `EffectiveDeliveryPolicy` of a topic.
    var json: String {
        var json = JSONWriter()
        json.object { json in
            json.key("http")
            json.object { json in
                json.key("defaultHealthyRetryPolicy")
                defaults.retry.write(to: &json)
                json.member("disableSubscriptionOverrides", disablesOverrides)
                if defaults.maxReceivesPerSecond != nil {
                    json.key("defaultThrottlePolicy")
                    defaults.writeThrottle(to: &json)
                }
                json.key("defaultRequestPolicy")
                defaults.writeRequest(to: &json)
            }
        }
        return json.text
    }
}

extension DeliveryPolicy {
    struct ThrottleDocument: Decodable {
        let maxReceivesPerSecond: Int?
    }

    struct RequestDocument: Decodable {
        let headerContentType: String?
    }

    fileprivate struct Document: Decodable {
        let healthyRetryPolicy: RetrySchedule?
        let throttlePolicy: ThrottleDocument?
        let requestPolicy: RequestDocument?
    }

    /// A policy that isn't JSON or whose members are of the wrong types is refused as a whole.
    fileprivate static func decode<Document: Decodable>(_ type: Document.Type, _ json: String) throws(AWSError)
        -> Document
    {
        do {
            return try JSONDecoder().decode(type, from: Data(json.utf8))
        } catch {
            throw invalid("it isn't a JSON object with the members of a delivery policy")
        }
    }

    private static func invalid(_ reason: String) -> AWSError { .invalidParameter("DeliveryPolicy: \(reason)") }

    fileprivate func check() throws(AWSError) {
        let counts = [retry.noDelayRetries, retry.minDelayRetries, retry.maxDelayRetries]
        guard 1...RetrySchedule.longestDelay ~= retry.maxDelay, 1...retry.maxDelay ~= retry.minDelay else {
            throw Self.invalid("minDelayTarget and maxDelayTarget must be from 1 to 3600, and the first no larger")
        }
        guard 0...RetrySchedule.mostRetries ~= retry.retries else {
            throw Self.invalid("numRetries must be from 0 to \(RetrySchedule.mostRetries)")
        }
        guard counts.allSatisfy({ 0...retry.retries ~= $0 }), counts.reduce(0, +) <= retry.retries else {
            throw Self.invalid(
                "numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries must not be negative, nor together larger than numRetries"
            )
        }
        guard retry.total <= RetrySchedule.longestTotal else {
            throw Self.invalid("the total of all delays must not be larger than 3600 seconds")
        }
        guard maxReceivesPerSecond ?? 1 >= 1 else {
            throw Self.invalid("throttlePolicy.maxReceivesPerSecond must be 1 or greater")
        }
        let isPrintable = contentType.utf8.allSatisfy { 0x20...0x7E ~= $0 }
        guard isPrintable, contentType.contains("/"), contentType.utf8.count <= 200 else {
            throw Self.invalid("headerContentType must be a media type")
        }
    }

    /// As `EffectiveDeliveryPolicy` of a subscription.
    var json: String {
        var json = JSONWriter()
        json.object { json in
            json.key("healthyRetryPolicy")
            retry.write(to: &json)
            json.key("sicklyRetryPolicy")
            json.raw("null")
            json.key("throttlePolicy")
            if maxReceivesPerSecond == nil { json.raw("null") } else { writeThrottle(to: &json) }
            json.key("requestPolicy")
            writeRequest(to: &json)
            json.member("guaranteed", false)
        }
        return json.text
    }

    fileprivate func writeThrottle(to json: inout JSONWriter) {
        json.object { json in
            json.key("maxReceivesPerSecond")
            json.raw(maxReceivesPerSecond.map { String($0) } ?? "null")
        }
    }

    fileprivate func writeRequest(to json: inout JSONWriter) {
        json.object { $0.member("headerContentType", contentType) }
    }
}

extension DeliveryPolicy.Overrides {
    init(_ json: String) throws(AWSError) {
        let document = try DeliveryPolicy.decode(DeliveryPolicy.Document.self, json)
        try self.init(document.healthyRetryPolicy, document.throttlePolicy, document.requestPolicy)
    }

    fileprivate init(
        _ retry: RetrySchedule?, _ throttle: DeliveryPolicy.ThrottleDocument?,
        _ request: DeliveryPolicy.RequestDocument?
    ) throws(AWSError) {
        self.init(
            retry: retry, maxReceivesPerSecond: throttle?.maxReceivesPerSecond, contentType: request?.headerContentType)
        try DeliveryPolicy.standard.overridden(by: self).check()
    }
}

extension RetrySchedule: Decodable {
    private enum CodingKeys: String, CodingKey {
        case minDelayTarget, maxDelayTarget, numRetries, numNoDelayRetries, numMinDelayRetries, numMaxDelayRetries
        case backoffFunction
    }

    /// What isn't given is as it is without a policy.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        minDelay = try container.decodeIfPresent(Int.self, forKey: .minDelayTarget) ?? minDelay
        maxDelay = try container.decodeIfPresent(Int.self, forKey: .maxDelayTarget) ?? max(maxDelay, minDelay)
        retries = try container.decodeIfPresent(Int.self, forKey: .numRetries) ?? retries
        noDelayRetries = try container.decodeIfPresent(Int.self, forKey: .numNoDelayRetries) ?? noDelayRetries
        minDelayRetries = try container.decodeIfPresent(Int.self, forKey: .numMinDelayRetries) ?? minDelayRetries
        maxDelayRetries = try container.decodeIfPresent(Int.self, forKey: .numMaxDelayRetries) ?? maxDelayRetries
        backoff = try container.decodeIfPresent(Backoff.self, forKey: .backoffFunction) ?? backoff
    }

    fileprivate func write(to json: inout JSONWriter) {
        let numbers: KeyValuePairs = [
            "minDelayTarget": minDelay, "maxDelayTarget": maxDelay, "numRetries": retries,
            "numMaxDelayRetries": maxDelayRetries, "numNoDelayRetries": noDelayRetries,
            "numMinDelayRetries": minDelayRetries,
        ]
        json.object { json in
            for (name, number) in numbers {
                json.key(name)
                json.raw(String(number))
            }
            json.member("backoffFunction", backoff.rawValue)
        }
    }
}
