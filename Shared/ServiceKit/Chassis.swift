public import Hummingbird
public import Logging
public import Telemetry

/// What a service is built on: its configuration, logger, readiness and telemetry, and a router on which everything
/// that services have in common is in place.
public struct Chassis: Sendable {
    /// What the environment says.
    public let configuration: ServiceConfiguration
    /// The service's logger.
    public let logger: Logger
    /// What `/health/ready` answers.
    public let readiness: Readiness
    /// Logs, metrics and spans of the process.
    public let telemetry: Telemetry

    private let openAPI: [UInt8]

    /// Services get theirs from ``ServiceMain``; tests make one.
    ///
    /// - Parameter openAPI: the text of `openapi.yaml`.
    public init(
        configuration: ServiceConfiguration, telemetry: Telemetry? = nil, logger: Logger? = nil, openAPI: [UInt8] = []
    ) {
        let logger = logger ?? Logger(label: configuration.service)
        self.configuration = configuration
        self.logger = logger
        self.telemetry = telemetry ?? Telemetry(service: configuration.service)
        self.readiness = Readiness(logger: logger)
        self.openAPI = openAPI
    }

    /// A router with correlation, spans, metrics, an access log, errors as problem+json, `/health/live`,
    /// `/health/ready`, `/metrics` and `/openapi.yaml`. ``Assembly`` adds the answer 405.
    ///
    /// - Parameter accessLog: the level of the line that each request gets; the watching of the service gets `trace`.
    public func router(accessLog: Logger.Level = .info) -> Router<ShopRequestContext> {
        let router = Router(context: ShopRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.addMiddleware {
            CorrelationMiddleware(tracer: self.telemetry.tracer, logger: self.logger)
            ServerSpanMiddleware(tracer: self.telemetry.tracer)
            RequestMetricsMiddleware(metrics: self.telemetry.metrics, accessLog: accessLog)
            ProblemMiddleware()
        }
        self.addOperationalRoutes(to: router)
        return router
    }

    private func addOperationalRoutes(to router: Router<ShopRequestContext>) {
        router.get("/health/live") { _, _ in try Response(json: ["status": "live"]) }
        router.get("/health/ready") { [readiness] _, _ in
            let report = readiness.report
            return try Response(json: report, status: report.isReady ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { [metrics = telemetry.metrics] _, _ in
            Response(text: metrics.text(), contentType: PrometheusRegistry.contentType)
        }
        // RFC 9512 registers this media type.
        router.get("/openapi.yaml") { [openAPI] _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/yaml"],
                body: .init(byteBuffer: ByteBuffer(bytes: openAPI)))
        }
    }
}
