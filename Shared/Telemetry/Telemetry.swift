public import Logging
import Metrics
import Tracing

/// What a process shows of itself: logs, metrics, spans.
public struct Telemetry: Sendable {
    /// The name in logs and spans.
    public let service: String
    /// All metrics of the process, for `/metrics`.
    public let metrics: PrometheusRegistry
    /// Makes the spans.
    public let tracer: ShopTracer
    /// Sends the spans; nil when no endpoint is configured. It is a service and has to be run.
    public let exporter: OTLPExporter?

    /// Puts the parts together without touching the process, for tests.
    public init(
        service: String, metrics: PrometheusRegistry = PrometheusRegistry(), tracer: ShopTracer = ShopTracer(),
        exporter: OTLPExporter? = nil
    ) {
        self.service = service
        self.metrics = metrics
        self.tracer = tracer
        self.exporter = exporter
    }

    /// Makes this the telemetry of the whole process: from now on every `Logger`, `Counter`, `Timer`, `withSpan` of any
    /// library ends here. Call it once, before anything else logs.
    ///
    /// - Parameters:
    ///   - otlpEndpoint: where spans go (OTLP/HTTP base URL); nil makes spans without exporting them.
    ///   - sampler: says which traces are recorded.
    public static func bootstrap(
        service: String, logLevel: Logger.Level, otlpEndpoint: String?, sampler: Sampler = .standard
    ) -> Telemetry {
        LoggingSystem.bootstrap { JSONLogHandler(service: service, label: $0, logLevel: logLevel) }
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        let exporter = otlpEndpoint.map {
            OTLPExporter(endpoint: $0, service: service, metrics: metrics, logger: Logger(label: "otlp"))
        }
        let tracer = ShopTracer(sinks: exporter.map { [$0] } ?? [], sampler: sampler)
        InstrumentationSystem.bootstrap(tracer)
        return Telemetry(service: service, metrics: metrics, tracer: tracer, exporter: exporter)
    }
}
