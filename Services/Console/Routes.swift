import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit

/// What the page and the command line ask; see `openapi.yaml`.
struct Routes: Sendable {
    let services: ShopServices
    let orders: OrderSearch
    let timelines: TimelineDesk
    let store: TraceStore
    let lookout: Lookout<ContinuousClock>

    func add(to router: Router<ShopRequestContext>) {
        router.get("/api/overview") { _, _ in try Response(json: await lookout.overview()) }
        router.get("/api/history") { _, _ in try Response(json: await store.size()) }
        router.get("/api/orders", use: listOrders)
        router.get("/api/timelines/:id") { _, context in
            let id = try context.pathParameter("id")
            guard let report = try await timelines.report(on: id) else {
                throw Problem.notFound(
                    "Nobody has heard of '\(id)'; give the id of an order, a correlation or a trace.")
            }
            return try Response(json: report)
        }
        router.get("/api/logs") { request, _ in
            guard let id = request.queryParameter("correlationId") else {
                throw Problem.invalid(field: "correlationId", "Say whose lines: ?correlationId=ID.")
            }
            let lines = await timelines.logs?.lines(correlationID: id)
            return try Response(json: LogLines(isKept: lines != nil, lines: lines ?? []))
        }
        addQuestions(to: router)
    }

    private struct LogLines: Encodable {
        /// Whether there is a log folder at all.
        let isKept: Bool
        let lines: [JSONValue]
    }

    /// `GET /api/orders?search=&status=&cursor=`.
    @Sendable private func listOrders(request: Request, context: ShopRequestContext) async throws -> Response {
        try await asking {
            if let text = request.queryParameter("search") {
                return try Response(json: await orders.find(text.trimmingCharacters(in: .whitespaces)))
            }
            return try Response(
                json: await orders.list(
                    status: request.queryParameter("status"), cursor: request.queryParameter("cursor")))
        }
    }

    private func asking(_ body: () async throws -> Response) async throws -> Response {
        do {
            return try await body()
        } catch let away as ShopServices.Away {
            throw Problem.unavailable(away.description)
        }
    }
}

// MARK: - Passing on

extension Routes {
    /// What a service answers itself, passed on as it is: the page may talk to this server alone. The paths are the
    /// services' own below `/api/NAME`; no others can be asked.
    private func addQuestions(to router: Router<ShopRequestContext>) {
        let questions: [(HTTPRequest.Method, String, String)] = [
            (.get, "inventory", "/products"),
            (.get, "order", "/orders/:id"),
            (.post, "order", "/orders"),
            (.post, "order", "/orders/:id/cancel"),
            (.get, "inventory", "/shipments/:id"),
            (.post, "inventory", "/shipments/:id/status"),
            (.get, "payment", "/charges"),
            (.get, "email", "/mails"),
            (.get, "email", "/mails/:id"),
            (.get, "loyalty", "/customers/:id/points"),
            (.get, "notification", "/customers/:id/notifications"),
            (.get, "notification", "/webhook-endpoints"),
            (.get, "notification", "/webhook-endpoints/:id/deliveries"),
            (.get, "notification", "/webhook-endpoints/:id/deliveries/:delivery"),
            (.post, "notification", "/webhook-endpoints/:id/deliveries/:delivery/redeliver"),
            (.post, "notification", "/webhook-endpoints/:id/pause"),
            (.post, "notification", "/webhook-endpoints/:id/ping"),
            (.post, "notification", "/webhook-endpoints/:id/resume"),
        ]
        for (method, service, path) in questions {
            router.on(RouterPath("/api/\(service)\(path)"), method: method) { request, _ in
                try await pass(request, to: service)
            }
        }
    }

    private static let passedOn = ["idempotency-key", "if-none-match", "content-type", "accept"]
    private static let passedBack = ["content-type", "etag", "location", "x-correlation-id", "retry-after"]

    private func pass(_ request: Request, to service: String) async throws -> Response {
        let isChange = request.method != .get && request.method != .head
        var headers = isChange ? [:] : ShopServices.unrecorded
        for name in Self.passedOn {
            if let field = HTTPField.Name(name), let value = request.headers[field] { headers[name] = value }
        }
        if isChange, headers["content-type"]?.hasPrefix("application/json") != true {
            throw Problem.unsupportedMediaType(expected: "application/json")
        }
        let path = request.uri.string.dropFirst("/api/\(service)".count)
        let body = isChange ? try await request.bytes() : nil
        return try await asking {
            let answer = try await services.send(
                request.method == .head ? .get : request.method, to: service, String(path), headers: headers, body: body
            )
            var fields = HTTPFields()
            for name in Self.passedBack {
                if let field = HTTPField.Name(name), let value = answer.headers[name] { fields[field] = value }
            }
            return Response(
                status: .init(code: answer.status), headers: fields, body: .init(byteBuffer: answer.body))
        }
    }
}
