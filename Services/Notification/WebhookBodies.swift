import Contracts
import Foundation
import ServiceKit
import Webhooks

/// The body of `POST /webhook-endpoints`.
struct RegisterEndpoint: Codable, Sendable {
    let url: String
    /// All, when it is left out.
    let eventTypes: [MerchantEvent]?
    let description: String?
    let ownerEmail: String

    func validate() throws(Problem) {
        try EndpointRules.check(eventTypes: eventTypes, description: description, ownerEmail: ownerEmail)
    }
}

/// The body of `PATCH /webhook-endpoints/{id}`: what is left out stays.
struct ChangeEndpoint: Codable, Sendable {
    let url: String?
    let eventTypes: [MerchantEvent]?
    let description: String?
    let ownerEmail: String?

    func validate() throws(Problem) {
        try EndpointRules.check(eventTypes: eventTypes, description: description, ownerEmail: ownerEmail)
    }
}

/// What the members of an endpoint must be. The URL is another matter: it takes looking up its host.
private enum EndpointRules {
    private static let longestDescription = 500

    static func check(eventTypes: [MerchantEvent]?, description: String?, ownerEmail: String?) throws(Problem) {
        if let eventTypes {
            try require(!eventTypes.isEmpty, "eventTypes", "must have at least one entry; leave it out for all")
            for (index, type) in eventTypes.enumerated() {
                let known = MerchantEvent.all + [WebhookEndpoint.everything]
                let names = known.map(\.rawValue).joined(separator: ", ")
                try require(known.contains(type), "eventTypes[\(index)]", "must be one of \(names)")
                let isFirst = !eventTypes.prefix(index).contains(type)
                try require(isFirst, "eventTypes[\(index)]", "is there twice; name each once")
            }
        }
        if let description {
            let isText = description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            try require(
                isText && description.count <= longestDescription, "description",
                "must be at most \(longestDescription) characters without control characters")
        }
        if let ownerEmail { try require(isMailAddress(ownerEmail), "ownerEmail", "must be a mail address") }
    }

    private static func require(_ isRight: Bool, _ field: String, _ rule: String) throws(Problem) {
        if !isRight { throw Problem.invalid(field: field, "'\(field)' \(rule).") }
    }

    /// Something on each side of one @, nothing that would end a header or an address; the rest is the mail server's.
    private static func isMailAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return text.utf8.count <= 254 && parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !#"<>(),;:"[]\"#.utf8.contains($0) }
    }
}

/// The body of `POST /webhook-endpoints/{id}/rotate-secret`.
struct RotateSecret: Codable, Sendable {
    /// For how long the old secret gives a signature, too.
    let overlapSeconds: Int?

    private static let longest = 7 * 24 * 3600
    private static let usual = 24 * 3600

    func validOverlap() throws(Problem) -> TimeInterval {
        let seconds = overlapSeconds ?? Self.usual
        guard (0...Self.longest).contains(seconds) else {
            throw Problem.invalid(field: "overlapSeconds", "'overlapSeconds' must be from 0 to \(Self.longest).")
        }
        return TimeInterval(seconds)
    }
}

/// The body of `POST /webhook-endpoints/{id}/redeliver`.
struct RedeliverFailed: Codable, Sendable {
    let since: Date
}

// MARK: - Answers

/// An endpoint, with its secret only where it is new.
struct EndpointView: Codable, Sendable {
    let id: EndpointID
    let url: String
    let eventTypes: [MerchantEvent]
    let description: String
    let ownerEmail: String
    let status: String
    let disabledReason: WebhookDisabledReason?
    let failingSince: Date?
    let throttledUntil: Date?
    let previousSecretExpiresAt: Date?
    let createdAt: Date
    let secret: String?

    init(_ endpoint: WebhookEndpoint, showing secret: WebhookSecret? = nil) {
        id = endpoint.id
        url = endpoint.url
        eventTypes = endpoint.eventTypes
        description = endpoint.description
        ownerEmail = endpoint.ownerEmail
        status = endpoint.status.rawValue
        disabledReason = endpoint.disabledReason
        failingSince = endpoint.failingSince
        throttledUntil = endpoint.throttledUntil
        previousSecretExpiresAt = endpoint.previousSecretExpiresAt
        createdAt = endpoint.createdAt
        self.secret = secret?.exposed
    }
}

/// A page of `GET /webhook-endpoints`.
struct EndpointPage: Codable, Sendable {
    let endpoints: [EndpointView]
    let nextCursor: EndpointID?
}

/// A delivery as the log shows it; its body and attempts only where one is asked for.
struct DeliveryView: Codable, Sendable {
    struct Attempt: Codable, Sendable {
        let at: Date
        let durationMilliseconds: Int64
        let status: Int?
        /// The first bytes of the answer.
        let answer: String?
        let error: String?
    }

    let id: DeliveryID
    let webhookId: String
    let type: MerchantEvent
    let status: String
    let attemptCount: Int
    let createdAt: Date
    let nextAttemptAt: Date?
    let settledAt: Date?
    let correlationId: String
    let body: String?
    let attempts: [Attempt]?

    init(_ delivery: WebhookDelivery, attempts: [WebhookAttempt]? = nil) {
        id = delivery.id
        webhookId = delivery.webhookID
        type = delivery.type
        status = delivery.status.rawValue
        attemptCount = delivery.attempts
        createdAt = delivery.createdAt
        nextAttemptAt = delivery.nextAttemptAt
        settledAt = delivery.settledAt
        correlationId = delivery.correlationID
        body = attempts == nil ? nil : delivery.body
        self.attempts = attempts?.map { attempt in
            let (status, answer, error): (Int?, String?, String?) =
                switch attempt.result {
                case .answered(let answer): (answer.status, answer.start, nil)
                case .failed(let reason): (nil, nil, reason)
                }
            return Attempt(
                at: attempt.startedAt, durationMilliseconds: Int64(attempt.duration.seconds * 1000), status: status,
                answer: answer, error: error)
        }
    }
}

/// A page of `GET /webhook-endpoints/{id}/deliveries`.
struct DeliveryPage: Codable, Sendable {
    let deliveries: [DeliveryView]
    let nextCursor: DeliveryID?
}

/// The answer to `POST /webhook-endpoints/{id}/redeliver`.
struct RedeliveryView: Codable, Sendable {
    let redelivered: Int
    /// Whether there are more; ask again for those.
    let hasMore: Bool
}
