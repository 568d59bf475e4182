import Contracts
import Foundation

/// What a merchant can do with webhooks over HTTP.
extension ShopAPI {
    struct Endpoint: Decodable, Sendable {
        var id: String
        var status: String
        var disabledReason: String?
        var secret: String?
    }

    struct Delivery: Decodable, Sendable {
        struct Attempt: Decodable, Sendable {
            var status: Int?
            var answer: String?
            var error: String?
            var durationMilliseconds: Int
        }

        var id: String
        var webhookId: String
        var type: String
        var status: String
        var attemptCount: Int
        var attempts: [Attempt]?
    }

    private struct DeliveryList: ListPage {
        var deliveries: [Delivery]
        var nextCursor: String?
        var entries: [Delivery] { deliveries }
    }

    func addEndpoint(_ url: String, _ types: [MerchantEvent] = MerchantEvent.all) async throws -> Endpoint {
        let names = types.map { "\"\($0)\"" }.joined(separator: ",")
        return try await post(
            "/webhook-endpoints", #"{"url":"\#(url)","ownerEmail":"owner@example.com","eventTypes":[\#(names)]}"#
        ).decode()
    }

    func endpoint(_ id: String) async throws -> Endpoint {
        try await send(.get, .notification, "/webhook-endpoints/\(id)").decode()
    }

    /// Something done with an endpoint, such as `ping`.
    @discardableResult
    func act(_ verb: String, on endpoint: String, _ body: String = "{}") async throws -> Answer {
        try await post("/webhook-endpoints/\(endpoint)/\(verb)", body)
    }

    /// The whole log of an endpoint, the newest first.
    func deliveries(of endpoint: String, status: String = "") async throws -> [Delivery] {
        try await all(
            DeliveryList.self, .notification, "/webhook-endpoints/\(endpoint)/deliveries?status=\(status)")
    }

    func delivery(_ id: String, of endpoint: String) async throws -> Delivery {
        try await send(.get, .notification, "/webhook-endpoints/\(endpoint)/deliveries/\(id)").decode()
    }

    private func post(_ path: String, _ body: String) async throws -> Answer {
        try await send(
            .post, .notification, path, headers: ["Content-Type": "application/json"], body: Data(body.utf8))
    }
}
