import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import Messaging
import Persistence
import ServiceKit
import Webhooks

/// The HTTP interface for merchants' webhook endpoints; see `openapi.yaml`.
struct WebhookRoutes: Sendable {
    let endpoints: WebhookEndpointStore
    let deliveries: WebhookDeliveryStore
    let fanOut: WebhookFanOut
    let addresses: AddressGuard

    static let pageSize = 50

    func add(to router: Router<ShopRequestContext>) {
        router.post("/webhook-endpoints", use: register)
        router.get("/webhook-endpoints", use: list)
        router.get("/webhook-endpoints/:id", use: show)
        router.patch("/webhook-endpoints/:id", use: change)
        router.delete("/webhook-endpoints/:id", use: remove)
        router.post("/webhook-endpoints/:id/pause", use: pause)
        router.post("/webhook-endpoints/:id/resume", use: resume)
        router.post("/webhook-endpoints/:id/rotate-secret", use: rotate)
        addDeliveryRoutes(to: router)
    }
}

// MARK: - Registering and looking

extension WebhookRoutes {
    /// Takes an endpoint. Its secret is in this answer and in none after it.
    @Sendable private func register(request: Request, context: ShopRequestContext) async throws -> Response {
        let body = try await request.decode(RegisterEndpoint.self)
        try body.validate()
        try await check(url: body.url)
        let endpoint = WebhookEndpoint(
            url: body.url, eventTypes: body.eventTypes ?? [WebhookEndpoint.everything],
            description: body.description ?? "", ownerEmail: body.ownerEmail)
        try await endpoints.add(endpoint)
        return try Response(
            json: EndpointView(endpoint, showing: endpoint.secret), status: .created,
            headers: [.location: "/webhook-endpoints/\(endpoint.id)"])
    }

    /// The early answer to a URL that webhooks could never be sent to.
    private func check(url text: String) async throws {
        do {
            _ = try await addresses.addresses(of: WebhookURL(text))
        } catch let error as WebhookURL.Malformed {
            throw Problem.invalid(field: "url", "'url' is not usable. \(error)")
        } catch let error as AddressGuard.Refused {
            throw Problem.invalid(field: "url", "\(error) Give a URL that the shop can reach from outside.")
        } catch let error as HostNames.Unknown {
            throw Problem.invalid(field: "url", "\(error) Check its spelling.")
        }
    }

    @Sendable private func list(request: Request, context: ShopRequestContext) async throws -> Response {
        let found = try await endpoints.endpoints(
            after: request.queryParameter("cursor").map(EndpointID.init(rawValue:)), limit: Self.pageSize + 1)
        let page = found.prefix(Self.pageSize)
        return try Response(
            json: EndpointPage(
                endpoints: page.map { EndpointView($0) },
                nextCursor: found.count > Self.pageSize ? page.last?.id : nil))
    }

    @Sendable private func show(request: Request, context: ShopRequestContext) async throws -> Response {
        try Response(json: EndpointView(try await find(context)))
    }

    func find(_ context: ShopRequestContext) async throws -> WebhookEndpoint {
        let id = try Self.endpointID(context)
        guard let endpoint = try await endpoints.endpoint(id) else { throw Self.unknown(id) }
        return endpoint
    }

    static func endpointID(_ context: ShopRequestContext) throws -> EndpointID {
        EndpointID(rawValue: try context.pathParameter("id"))
    }

    static func unknown(_ id: EndpointID) -> Problem {
        .notFound("There is no endpoint '\(id)'; GET /webhook-endpoints lists those that there are.")
    }
}

// MARK: - Changing

extension WebhookRoutes {
    @Sendable private func change(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = try Self.endpointID(context)
        let body = try await request.decode(ChangeEndpoint.self)
        try body.validate()
        if let url = body.url { try await check(url: url) }
        return try await answer(id) { endpoint in
            if let url = body.url { endpoint.url = url }
            if let types = body.eventTypes { endpoint.eventTypes = types }
            if let description = body.description { endpoint.description = description }
            if let owner = body.ownerEmail { endpoint.ownerEmail = owner }
        }
    }

    @Sendable private func pause(request: Request, context: ShopRequestContext) async throws -> Response {
        try await answer(Self.endpointID(context)) { try $0.pause() }
    }

    @Sendable private func resume(request: Request, context: ShopRequestContext) async throws -> Response {
        try await answer(Self.endpointID(context)) { endpoint in
            endpoint.resume()
        } and: { endpoint, transaction in
            try deliveries.release(endpoint.id, in: transaction)
        }
    }

    /// Gives an endpoint a new secret, which is in this answer and in none after it.
    @Sendable private func rotate(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = try Self.endpointID(context)
        let body = try await request.decode(RotateSecret.self)
        let overlap = try body.validOverlap()
        let secret = WebhookSecret.make()
        let changed = try await endpoints.change(id) { endpoint in
            endpoint.rotate(to: secret, keepingOldUntil: Date(timeIntervalSinceNow: overlap))
        }
        guard let changed else { throw Self.unknown(id) }
        return try Response(json: EndpointView(changed, showing: secret))
    }

    private func answer(
        _ id: EndpointID, _ change: @escaping @Sendable (inout WebhookEndpoint) throws -> Void,
        and then: @escaping @Sendable (WebhookEndpoint, any Transaction) throws -> Void = { _, _ in }
    ) async throws -> Response {
        do {
            guard let endpoint = try await endpoints.change(id, change, and: then) else { throw Self.unknown(id) }
            return try Response(json: EndpointView(endpoint))
        } catch let refused as WebhookEndpoint.TransitionRefused {
            throw Problem.conflict(refused.description)
        }
    }

    /// Takes an endpoint away with all that was to be sent to it.
    @Sendable private func remove(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = try Self.endpointID(context)
        guard try await deliveries.removeEndpoint(id, from: endpoints) else { throw Self.unknown(id) }
        return Response(status: .noContent)
    }
}
