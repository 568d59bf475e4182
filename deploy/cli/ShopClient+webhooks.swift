import Foundation

/// The body of `POST /webhook-endpoints`.
struct NewEndpoint: Encodable, Sendable {
    let url: String
    let eventTypes: [String]?
    let description: String?
    let ownerEmail: String
}

/// An endpoint, as far as this program shows it.
struct EndpointAnswer: Codable, Sendable {
    let id: String
    let url: String
    let eventTypes: [String]
    let status: String
    let disabledReason: String?
    let previousSecretExpiresAt: String?
    let secret: String?

    var line: String {
        let reason = disabledReason.map { " (\($0))" } ?? ""
        return "\(id) \(status)\(reason) \(url) \(eventTypes.joined(separator: ","))"
    }
}

/// An entry of the delivery log.
struct DeliveryAnswer: Codable, Sendable {
    struct Attempt: Codable, Sendable {
        let at: String
        let durationMilliseconds: Int
        let status: Int?
        let answer: String?
        let error: String?

        var line: String {
            let outcome = status.map { "\($0) “\(answer ?? "")”" } ?? error ?? ""
            return "\(at) \(outcome) after \(durationMilliseconds) ms"
        }
    }

    let id: String
    let webhookId: String
    let type: String
    let status: String
    let attemptCount: Int
    let createdAt: String
    let nextAttemptAt: String?
    let attempts: [Attempt]?

    var line: String {
        let next = status == "pending" ? nextAttemptAt.map { ", next at \($0)" } ?? "" : ""
        return "\(createdAt) \(id) \(type) \(webhookId) \(status), attempts: \(attemptCount)\(next)"
    }
}

/// How many were sent again.
struct RedeliveryAnswer: Decodable, Sendable {
    let redelivered: Int
    let hasMore: Bool
}

extension ShopClient {
    func addEndpoint(_ endpoint: NewEndpoint) async throws -> EndpointAnswer {
        try await tell("", JSONEncoder().encode(endpoint), expecting: 201)
    }

    func endpoints() async throws -> [EndpointAnswer] {
        try await all("notification", "/webhook-endpoints", key: "endpoints")
    }

    func deliveries(of endpoint: String) async throws -> [DeliveryAnswer] {
        try await all(
            "notification", "/webhook-endpoints/\(endpoint.escapedForURL)/deliveries", key: "deliveries")
    }

    func delivery(_ delivery: String, of endpoint: String) async throws -> DeliveryAnswer {
        let url = try endpointURL("/\(endpoint.escapedForURL)/deliveries/\(delivery.escapedForURL)")
        return try decode(try await http.get(url, timeout: Self.patience), expecting: 200)
    }

    /// `pause` or `resume`.
    func act(_ verb: String, on endpoint: String) async throws -> EndpointAnswer {
        try await tell("/\(endpoint.escapedForURL)/\(verb)", expecting: 200)
    }

    func rotateSecret(of endpoint: String, overlapSeconds: Int?) async throws -> EndpointAnswer {
        try await tell(
            "/\(endpoint.escapedForURL)/rotate-secret", JSONEncoder().encode(["overlapSeconds": overlapSeconds]),
            expecting: 200)
    }

    func ping(_ endpoint: String) async throws -> DeliveryAnswer {
        try await tell("/\(endpoint.escapedForURL)/ping", expecting: 202)
    }

    func redeliver(_ delivery: String, of endpoint: String) async throws -> DeliveryAnswer {
        try await tell(
            "/\(endpoint.escapedForURL)/deliveries/\(delivery.escapedForURL)/redeliver", expecting: 202)
    }

    func redeliver(since time: String, of endpoint: String) async throws -> RedeliveryAnswer {
        try await tell(
            "/\(endpoint.escapedForURL)/redeliver", JSONEncoder().encode(["since": time]), expecting: 202)
    }

    func removeEndpoint(_ endpoint: String) async throws {
        let answer = try await http.delete(endpointURL("/\(endpoint.escapedForURL)"), timeout: Self.patience)
        // Somebody else may have taken it away already.
        guard answer.status != 204, answer.status != 404 else { return }
        let _: EndpointAnswer = try decode(answer, expecting: 204)
    }

    private func tell<Value: Decodable>(
        _ path: String, _ body: Data = Data("{}".utf8), expecting status: Int
    ) async throws -> Value {
        let answer = try await http.post(endpointURL(path), json: body, headers: [:], timeout: Self.patience)
        return try decode(answer, expecting: status)
    }

    private func endpointURL(_ path: String) throws -> String {
        try addresses.url(of: "notification") + "/webhook-endpoints" + path
    }
}
