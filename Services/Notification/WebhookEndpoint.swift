import Contracts
import Foundation
import Webhooks

/// An endpoint; made by notification.
struct EndpointID: Identifier {
    let rawValue: String
    init(rawValue: String) { self.rawValue = rawValue }
    static func make() -> EndpointID { EndpointID(rawValue: "we_" + UUIDv7.make()) }
}

/// Where a merchant wants to be told of what happens, and whether they can be.
struct WebhookEndpoint: Equatable, Sendable {
    enum Status: String, CaseIterable, Sendable {
        case active
        /// What happens is kept for it until it is resumed.
        case paused
        /// Given up; what happens is not kept for it.
        case disabled
    }

    let id: EndpointID
    var url: String
    /// Names of ``MerchantEvent``, or ``everything`` alone.
    var eventTypes: [MerchantEvent]
    var description: String
    var ownerEmail: String
    let createdAt: Date

    private(set) var status = Status.active
    private(set) var disabledReason: WebhookDisabledReason?
    /// When the first attempt failed since the last that succeeded.
    private(set) var failingSince: Date?
    /// Until when it has asked to be left alone.
    private(set) var throttledUntil: Date?
    private(set) var secret: WebhookSecret
    private(set) var previousSecret: WebhookSecret?
    private(set) var previousSecretExpiresAt: Date?

    /// Stands for all types, those to come included.
    static let everything: MerchantEvent = "*"

    /// A new one.
    init(
        id: EndpointID = .make(), url: String, eventTypes: [MerchantEvent], description: String, ownerEmail: String,
        secret: WebhookSecret = .make(), createdAt: Date = Date()
    ) {
        self.id = id
        self.url = url
        self.eventTypes = eventTypes
        self.description = description
        self.ownerEmail = ownerEmail
        self.secret = secret
        self.createdAt = createdAt
    }

    /// One as it was stored.
    init(_ base: WebhookEndpoint, _ state: State) {
        self = base
        status = state.status
        disabledReason = state.disabledReason
        failingSince = state.failingSince
        throttledUntil = state.throttledUntil
        previousSecret = state.previousSecret
        previousSecretExpiresAt = state.previousSecretExpiresAt
    }

    /// What only transitions change.
    struct State {
        let status: Status
        let disabledReason: WebhookDisabledReason?
        let failingSince: Date?
        let throttledUntil: Date?
        let previousSecret: WebhookSecret?
        let previousSecretExpiresAt: Date?
    }

    func wants(_ type: MerchantEvent) -> Bool { eventTypes.contains { $0 == Self.everything || $0 == type } }

    /// What webhooks are signed with at a time: the secret, and the one before it as long as that is valid.
    func secrets(at time: Date) -> [WebhookSecret] {
        guard let previousSecret, let previousSecretExpiresAt, time < previousSecretExpiresAt else { return [secret] }
        return [secret, previousSecret]
    }
}

// MARK: - What its owner does

extension WebhookEndpoint {
    /// What can't be done with an endpoint that is disabled or, where it says so, paused.
    struct TransitionRefused: Error, Equatable, CustomStringConvertible {
        let status: Status
        var description: String { "The endpoint is \(status); resume it first." }
    }

    mutating func pause() throws(TransitionRefused) {
        switch status {
        case .active, .paused: status = .paused
        case .disabled: throw TransitionRefused(status: status)
        }
    }

    /// Begins anew, whatever was before.
    mutating func resume() {
        switch status {
        case .active: break
        case .paused, .disabled:
            status = .active
            disabledReason = nil
            failingSince = nil
            throttledUntil = nil
        }
    }

    /// Takes a new secret. The one before stays valid for a while; one before that ends at once.
    mutating func rotate(to new: WebhookSecret, keepingOldUntil end: Date) {
        previousSecret = secret
        previousSecretExpiresAt = end
        secret = new
    }

    /// - Throws: unless webhooks are sent to it now.
    func requireActive() throws(TransitionRefused) {
        switch status {
        case .active: break
        case .paused, .disabled: throw TransitionRefused(status: status)
        }
    }

    /// - Throws: if webhooks aren't kept for it.
    func requireNotDisabled() throws(TransitionRefused) {
        switch status {
        case .active, .paused: break
        case .disabled: throw TransitionRefused(status: status)
        }
    }
}

// MARK: - What comes of attempts

/// How often, and for how long, it is tried.
struct WebhookPatience: Sendable {
    var schedule = RetrySchedule.standard
    /// An endpoint at which everything has failed for this long is disabled.
    var disableAfter = Duration.seconds(5 * 24 * 3600)
}

extension WebhookEndpoint {
    /// What becomes of a delivery after an attempt.
    enum Verdict: Equatable, Sendable {
        case delivered
        case again(at: Date)
        case failed
        /// And so is everything else for this endpoint, which is now disabled.
        case disabled
    }

    /// Takes note of how an attempt has ended, and decides how it goes on.
    /// - Parameters:
    ///   - number: 1 for the first attempt of the delivery.
    ///   - jitter: picks from a range.
    mutating func judge(
        _ result: WebhookAttempt.Result, number: Int, patience: WebhookPatience, at now: Date,
        jitter: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
    ) -> Verdict {
        if case .answered(let answer) = result, answer.isSuccess {
            failingSince = nil
            return .delivered
        }
        let firstFailure = failingSince ?? now
        failingSince = firstFailure
        // What was on its way when the endpoint was given up doesn't give it up again.
        guard status != .disabled else { return .failed }
        if case .answered(let answer) = result, answer.status == 410 {
            status = .disabled
            disabledReason = .gone
            return .disabled
        }
        if now.timeIntervalSince(firstFailure) >= patience.disableAfter.seconds {
            status = .disabled
            disabledReason = .failing
            return .disabled
        }
        let retryAfter: Duration? = if case .answered(let answer) = result { answer.retryAfter } else { nil }
        // These two speak of the endpoint as a whole, so that its other webhooks wait as well.
        if case .answered(let answer) = result, [429, 503].contains(answer.status), let retryAfter {
            throttledUntil = max(throttledUntil ?? .distantPast, now.addingTimeInterval(retryAfter.seconds))
        }
        return patience.schedule.delay(afterAttempt: number, retryAfter: retryAfter, jitter: jitter)
            .map { .again(at: now.addingTimeInterval($0.seconds)) } ?? .failed
    }
}

extension Duration {
    /// With fractions.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
