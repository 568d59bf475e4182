import HTTPTypes
import Hummingbird
import Telemetry
import Tracing

/// A span for each request, by OpenTelemetry's semantic conventions for HTTP servers. What only watches the service
/// (`/health/…`, `/metrics`) makes none: it would bury what matters.
struct ServerSpanMiddleware: RouterMiddleware {
    typealias Context = ShopRequestContext

    let tracer: ShopTracer

    func handle(
        _ request: Request, context: ShopRequestContext,
        next: (Request, ShopRequestContext) async throws -> Response
    ) async throws -> Response {
        guard !request.isOperational else { return try await next(request, context) }
        let method = request.knownMethod
        return try await self.tracer.withSpan(method, ofKind: .server) { span in
            if span.isRecording { self.describe(request, context, on: span) }
            let response = try await next(request, context)
            guard span.isRecording else { return response }
            let route = context.route
            if let route { span.operationName = "\(method) \(route)" }
            span.updateAttributes { attributes in
                attributes["http.route"] = route
                attributes["http.response.status_code"] = response.status.code
                if response.status.code >= 500 { attributes["error.type"] = String(response.status.code) }
            }
            if response.status.code >= 500 { span.setStatus(SpanStatus(code: .error)) }
            return response
        }
    }

    private func describe(_ request: Request, _ context: ShopRequestContext, on span: ShopSpan) {
        span.updateAttributes { attributes in
            attributes["http.request.method"] = request.knownMethod
            if request.knownMethod != request.method.rawValue {
                attributes["http.request.method_original"] = request.method.rawValue
            }
            attributes["url.scheme"] = "http"
            attributes["url.path"] = request.uri.path
            attributes["url.query"] = request.uri.query
            attributes["server.address"] = request.head.authority
            attributes["client.address"] = context.channel.remoteAddress?.ipAddress
            attributes["user_agent.original"] = request.headers[.userAgent]
            attributes["network.protocol.name"] = "http"
        }
    }
}

extension Request {
    /// What watches the service rather than uses it.
    var isOperational: Bool { self.uri.path.hasPrefix("/health/") || self.uri.path == "/metrics" }

    /// The method, or `_OTHER` as the conventions have it, so that a caller can't make up names of spans and metrics.
    var knownMethod: String {
        Self.knownMethods.contains(self.method) ? self.method.rawValue : "_OTHER"
    }

    static let knownMethods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect,
    ]
}

extension ShopRequestContext {
    /// The route that matched, as it was declared: `/orders/{id}`; nil when none did.
    var route: String? { self.endpointPath == "NotFound" ? nil : self.endpointPath }
}
