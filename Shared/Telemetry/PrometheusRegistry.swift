public import CoreMetrics
import Synchronization

/// The metrics of the process, kept in memory and written as Prometheus text.
///
/// Names follow OpenTelemetry's rules for Prometheus: dots become underscores, counters end in `_total`, timers in
/// `_seconds`. So `Timer(label: "http.server.request.duration")` is `http_server_request_duration_seconds`. Timers and
/// aggregating recorders are histograms; `Gauge` and `Meter` are gauges.
///
/// A metric has a bounded number of series, so that values from outside that end up in a label can't take all memory. As
/// OpenTelemetry's "Cardinality limits" have it, what comes with further values is recorded in one more series, labelled
/// `otel_metric_overflow="true"`: sums stay right, and a query for that label tells that it happened.
public final class PrometheusRegistry: MetricsFactory {
    /// The `Content-Type` of ``text()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What a metric object is asked for by. Looking one up again, as `Counter(label:dimensions:)` does on each call, is
    /// one lock and one hash.
    private struct Key: Hashable {
        let kind: MetricKind
        let label: String
        let dimensions: [Dimension]
    }

    private struct Dimension: Hashable {
        let name: String
        let value: String
    }

    private struct State {
        var families: [String: MetricFamily] = [:]
        var series: [Key: any MetricSeries] = [:]
        /// By what each series is found in `series`.
        var keys: [ObjectIdentifier: [Key]] = [:]
        var help: [String: String] = [:]
        var preparations: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let durationBuckets: [Double]
    private let valueBuckets: [Double]
    private let largestFamily: Int

    /// - Parameters:
    ///   - durationBuckets: upper bounds of timers' buckets in seconds: from a local query to a saga that timed out.
    ///   - valueBuckets: upper bounds of recorders' buckets, for counts and sizes.
    ///   - largestFamily: how many series a metric may have, besides the one for what is over.
    public init(
        durationBuckets: [Double] = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900,
        ],
        valueBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000, 1_000_000],
        largestFamily: Int = 2000
    ) {
        self.durationBuckets = durationBuckets
        self.valueBuckets = valueBuckets
        self.largestFamily = largestFamily
    }

    /// Sets what the HELP line of a metric says. Those of the libraries in Shared have theirs already.
    public func describe(_ label: String, _ help: String) {
        self.state.withLock { $0.help[label] = help }
    }

    /// Calls `action` before each ``text()``: for gauges of what is only worth counting when somebody looks.
    public func beforeText(_ action: @escaping @Sendable () -> Void) {
        self.state.withLock { $0.preparations.append(action) }
    }

    /// All metrics in the text format, version 0.0.4, sorted by name and labels.
    public func text() -> String {
        for prepare in self.state.withLock({ $0.preparations }) { prepare() }
        let families = self.state.withLock { state in
            state.families.values.map { ($0, state.help[$0.label] ?? MetricHelp.texts[$0.label] ?? $0.label) }
        }
        var text = PrometheusText()
        for (family, help) in families.sorted(by: { $0.0.name < $1.0.name }) {
            text.family(family, help: help)
        }
        return text.output
    }

    private func series<Series: MetricSeries>(
        _ kind: MetricKind, _ label: String, _ dimensions: [(String, String)], make: (MetricIdentity) -> Series
    ) -> Series {
        let key = Key(kind: kind, label: label, dimensions: dimensions.map { Dimension(name: $0.0, value: $0.1) })
        return self.state.withLock { state in
            if let known = state.series[key] as? Series { return known }
            let name = Self.familyName(kind, label, among: state.families)
            var labels = PrometheusText.labels(dimensions)
            let isOver = state.families[name]?.hasRoom(for: labels, atMost: self.largestFamily) == false
            if isOver { labels = MetricFamily.overflow }
            // Two orders of the same dimensions are one series.
            let series =
                state.families[name]?.series[labels] as? Series
                ?? make(MetricIdentity(family: name, labels: labels))
            state.families[name, default: MetricFamily(name: name, label: label, kind: kind)].series[labels] = series
            // A key for each that is over would be the very growth that the limit is there to stop.
            if !isOver {
                state.series[key] = series
                state.keys[ObjectIdentifier(series), default: []].append(key)
            }
            return series
        }
    }

    /// One name can't be two types in one exposition, so the second type asked for gets its type as a suffix.
    private static func familyName(
        _ kind: MetricKind, _ label: String, among families: [String: MetricFamily]
    ) -> String {
        let name = PrometheusText.metricName(label, kind: kind)
        guard let taken = families[name], taken.kind != kind else { return name }
        return "\(name)_\(kind.rawValue)"
    }

    private func destroy(_ handler: AnyObject) {
        guard let series = handler as? any MetricSeries else { return }
        // It belongs to others too.
        guard series.identity.labels != MetricFamily.overflow else { return }
        self.state.withLock { state in
            state.families[series.identity.family]?.series[series.identity.labels] = nil
            if state.families[series.identity.family]?.series.isEmpty == true {
                state.families[series.identity.family] = nil
            }
            for key in state.keys.removeValue(forKey: ObjectIdentifier(series)) ?? [] { state.series[key] = nil }
        }
    }
}

extension PrometheusRegistry {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.series(.counter, label, dimensions) { CounterSeries(identity: $0) }
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.series(.counter, label, dimensions) { CounterSeries(identity: $0) }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.series(.gauge, label, dimensions) { GaugeSeries(identity: $0) }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return self.series(.gauge, label, dimensions) { GaugeSeries(identity: $0) } }
        return self.series(.histogram, label, dimensions) { HistogramSeries(identity: $0, bounds: self.valueBuckets) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.series(.timer, label, dimensions) { HistogramSeries(identity: $0, bounds: self.durationBuckets) }
    }

    public func destroyCounter(_ handler: any CounterHandler) { self.destroy(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { self.destroy(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { self.destroy(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { self.destroy(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { self.destroy(handler) }
}
