import Hummingbird
import Logging
import Metrics
import Telemetry

/// Rate, errors and duration of requests in one histogram, `http.server.request.duration` by OpenTelemetry's
/// conventions, and a line in the log for each request.
struct RequestMetricsMiddleware: RouterMiddleware {
    typealias Context = ShopRequestContext

    private let metrics: PrometheusRegistry
    private let active: Meter
    private let accessLog: Logger.Level

    init(metrics: PrometheusRegistry, accessLog: Logger.Level) {
        self.metrics = metrics
        self.active = Meter(label: "http.server.active_requests", factory: metrics)
        self.accessLog = accessLog
    }

    func handle(
        _ request: Request, context: ShopRequestContext,
        next: (Request, ShopRequestContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        self.active.increment()
        defer { self.active.decrement() }
        let response = try await next(request, context)
        let elapsed = ContinuousClock.now - start
        var dimensions = [
            ("http_request_method", request.knownMethod),
            ("http_response_status_code", String(response.status.code)),
        ]
        if let route = context.route { dimensions.append(("http_route", route)) }
        Metrics.Timer(label: "http.server.request.duration", dimensions: dimensions, factory: self.metrics)
            .recordNanoseconds(elapsed.nanoseconds)
        context.logger.log(
            level: request.isOperational ? .trace : self.accessLog,
            "\(request.method.rawValue) \(request.uri.path) \(response.status.code)",
            metadata: [
                "status": .stringConvertible(response.status.code),
                "duration_ms": .stringConvertible(Double(elapsed.nanoseconds / 1000) / 1000),
            ])
        return response
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000
    }
}
