import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Messaging
import Persistence
import ServiceKit

/// The delivery log, and sending again what it shows.
extension WebhookRoutes {
    /// How many deliveries one request sends again.
    private static let mostRedelivered = 1000
    /// How many attempts of a delivery are shown.
    private static let mostAttempts = 100

    func addDeliveryRoutes(to router: Router<ShopRequestContext>) {
        router.get("/webhook-endpoints/:id/deliveries", use: listDeliveries)
        router.get("/webhook-endpoints/:id/deliveries/:deliveryId", use: showDelivery)
        router.post("/webhook-endpoints/:id/deliveries/:deliveryId/redeliver", use: redeliver)
        router.post("/webhook-endpoints/:id/redeliver", use: redeliverFailed)
        router.post("/webhook-endpoints/:id/ping", use: ping)
    }

    @Sendable private func listDeliveries(request: Request, context: ShopRequestContext) async throws -> Response {
        let endpoint = try await find(context)
        var status: WebhookDelivery.Status?
        if let word = request.queryParameter("status") {
            status = WebhookDelivery.Status(rawValue: word)
            guard status != nil else {
                let words = WebhookDelivery.Status.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.invalid(field: "status", "'status' must be one of \(words).")
            }
        }
        let found = try await deliveries.deliveries(
            of: endpoint.id, status: status,
            before: request.queryParameter("cursor").map(DeliveryID.init(rawValue:)), limit: Self.pageSize + 1)
        let page = found.prefix(Self.pageSize)
        return try Response(
            json: DeliveryPage(
                deliveries: page.map { DeliveryView($0) },
                nextCursor: found.count > Self.pageSize ? page.last?.id : nil))
    }

    @Sendable private func showDelivery(request: Request, context: ShopRequestContext) async throws -> Response {
        let endpoint = try await find(context)
        let id = try Self.deliveryID(context)
        guard let entry = try await deliveries.entry(id, mostAttempts: Self.mostAttempts),
            entry.delivery.endpointID == endpoint.id
        else { throw Self.unknown(id) }
        return try Response(json: DeliveryView(entry.delivery, attempts: entry.attempts))
    }

    /// Sends one delivery again, with the same `webhook-id`.
    @Sendable private func redeliver(request: Request, context: ShopRequestContext) async throws -> Response {
        let endpointID = try Self.endpointID(context)
        let id = try Self.deliveryID(context)
        let messageContext = MessageContext.current()
        return try await accepted(endpointID) { endpoint, transaction in
            try endpoint.requireNotDisabled()
            guard let delivery = try deliveries.find(id, in: transaction), delivery.endpointID == endpoint.id else {
                throw Self.unknown(id)
            }
            try deliveries.redeliver(id, of: endpoint.id, context: messageContext, in: transaction)
            return id
        }
    }

    /// Sends again what was given up of the events since a time.
    @Sendable private func redeliverFailed(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = try Self.endpointID(context)
        let since = try await request.decode(RedeliverFailed.self).since
        let messageContext = MessageContext.current()
        do {
            let result = try await endpoints.database.write { transaction -> RedeliveryView? in
                guard let endpoint = try endpoints.find(id, in: transaction) else { return nil }
                try endpoint.requireNotDisabled()
                let failed = try deliveries.failed(
                    of: id, since: since, limit: Self.mostRedelivered + 1, in: transaction)
                for delivery in failed.prefix(Self.mostRedelivered) {
                    try deliveries.redeliver(delivery, of: id, context: messageContext, in: transaction)
                }
                return RedeliveryView(
                    redelivered: min(failed.count, Self.mostRedelivered), hasMore: failed.count > Self.mostRedelivered)
            }
            guard let result else { throw Self.unknown(id) }
            return try Response(json: result, status: .accepted)
        } catch let refused as WebhookEndpoint.TransitionRefused {
            throw Problem.conflict(refused.description)
        }
    }

    /// Sends a webhook of the type `ping`.
    @Sendable private func ping(request: Request, context: ShopRequestContext) async throws -> Response {
        try await accepted(Self.endpointID(context)) { endpoint, transaction in
            try endpoint.requireActive()
            return try fanOut.ping(endpoint.id, in: transaction)
        }
    }

    /// Answers 202 with the delivery that `body` has set going.
    private func accepted(
        _ id: EndpointID, _ body: @escaping @Sendable (WebhookEndpoint, any Transaction) throws -> DeliveryID
    ) async throws -> Response {
        do {
            let delivery = try await endpoints.database.write { transaction -> WebhookDelivery? in
                guard let endpoint = try endpoints.find(id, in: transaction) else { return nil }
                return try deliveries.find(try body(endpoint, transaction), in: transaction)
            }
            guard let delivery else { throw Self.unknown(id) }
            return try Response(
                json: DeliveryView(delivery), status: .accepted,
                headers: [.location: "/webhook-endpoints/\(id)/deliveries/\(delivery.id)"])
        } catch let refused as WebhookEndpoint.TransitionRefused {
            throw Problem.conflict(refused.description)
        }
    }

    private static func deliveryID(_ context: ShopRequestContext) throws -> DeliveryID {
        DeliveryID(rawValue: try context.pathParameter("deliveryId"))
    }

    private static func unknown(_ id: DeliveryID) -> Problem {
        .notFound("This endpoint has no delivery '\(id)'; GET /webhook-endpoints/{id}/deliveries lists them.")
    }
}
