import HTTPTypes
import Hummingbird
import Logging
import Telemetry
import Tracing

extension HTTPField.Name {
    static let correlationID = Self("X-Correlation-ID")!
    static let idempotencyKey = Self("Idempotency-Key")!
}

/// Puts the request into its context: the caller's correlation id or a new one, and the caller's span. Every answer
/// carries the id.
struct CorrelationMiddleware: RouterMiddleware {
    typealias Context = ShopRequestContext

    let tracer: ShopTracer
    let logger: Logger

    func handle(
        _ request: Request, context: ShopRequestContext,
        next: (Request, ShopRequestContext) async throws -> Response
    ) async throws -> Response {
        var tracing = ServiceContext.topLevel
        self.tracer.extract(request.headers, into: &tracing, using: HeaderExtractor())
        // A caller's id that can't be used is replaced; the answer shows it the one that counts.
        if let id = request.headers[.correlationID], CorrelationID.isValid(id) { tracing.correlationID = id }
        let id = tracing.correlationID ?? CorrelationID.make()
        tracing.correlationID = id
        var context = context
        context.logger = self.logger
        var response = try await ServiceContext.withValue(tracing) { try await next(request, context) }
        response.headers[.correlationID] = id
        return response
    }
}

struct HeaderExtractor: Extractor {
    func extract(key: String, from headers: HTTPFields) -> String? {
        HTTPField.Name(key).flatMap { headers[$0] }
    }
}
