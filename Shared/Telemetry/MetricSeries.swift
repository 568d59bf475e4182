import CoreMetrics
import Synchronization

/// The kinds of metric that swift-metrics asks for. A timer is a histogram of seconds.
enum MetricKind: String {
    case counter
    case gauge
    case histogram
    case timer

    /// The word of the TYPE line.
    var exposed: String { self == .timer ? "histogram" : self.rawValue }
}

/// All series of one name.
struct MetricFamily {
    let name: String
    let label: String
    let kind: MetricKind
    /// By their labels as they are written.
    var series: [String: any MetricSeries] = [:]

    /// The labels of the series for what came with further labels when there was no room any more.
    static let overflow = #"otel_metric_overflow="true""#

    /// Whether there is a series with these labels, or may be.
    func hasRoom(for labels: String, atMost limit: Int) -> Bool {
        self.series[labels] != nil || self.series.count - (self.series[Self.overflow] == nil ? 0 : 1) < limit
    }
}

/// Where a series stands in the exposition.
struct MetricIdentity: Sendable {
    let family: String
    let labels: String
}

/// One line of a family, or one histogram.
protocol MetricSeries: AnyObject, Sendable {
    var identity: MetricIdentity { get }
    func write(to text: inout PrometheusText)
}

/// Counts in doubles, which Prometheus does too: exact up to 2^53.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    let identity: MetricIdentity
    private let value = Mutex(0.0)

    init(identity: MetricIdentity) {
        self.identity = identity
    }

    func increment(by amount: Int64) { self.increment(by: Double(amount)) }

    /// A counter that went down would read as a restart, so what isn't positive is ignored.
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.value.withLock { $0 += amount }
    }

    func reset() { self.value.withLock { $0 = 0 } }

    func write(to text: inout PrometheusText) {
        text.sample(self.identity, self.value.withLock { $0 })
    }
}

final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    let identity: MetricIdentity
    private let value = Mutex(0.0)

    init(identity: MetricIdentity) {
        self.identity = identity
    }

    func set(_ value: Int64) { self.set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func record(_ value: Int64) { self.set(Double(value)) }
    func record(_ value: Double) { self.set(value) }
    func increment(by amount: Double) { self.value.withLock { $0 += amount } }
    func decrement(by amount: Double) { self.value.withLock { $0 -= amount } }

    func write(to text: inout PrometheusText) {
        text.sample(self.identity, self.value.withLock { $0 })
    }
}

final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
    private struct State {
        /// One for each bound and one for what is over all; not cumulative.
        var counts: [UInt64]
        var sum = 0.0
    }

    let identity: MetricIdentity
    private let bounds: [Double]
    private let state: Mutex<State>

    init(identity: MetricIdentity, bounds: [Double]) {
        self.identity = identity
        self.bounds = bounds
        self.state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) {
        self.record(Double(duration) / 1_000_000_000)
    }

    func write(to text: inout PrometheusText) {
        let (counts, sum) = self.state.withLock { ($0.counts, $0.sum) }
        var cumulative: UInt64 = 0
        for (bound, count) in zip(self.bounds + [.infinity], counts) {
            cumulative += count
            text.sample(
                self.identity, suffix: "_bucket", extra: "le=\"\(PrometheusText.number(bound))\"", Double(cumulative))
        }
        text.sample(self.identity, suffix: "_sum", sum)
        text.sample(self.identity, suffix: "_count", Double(cumulative))
    }
}
