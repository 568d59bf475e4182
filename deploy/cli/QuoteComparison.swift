import Foundation
import Histogram

/// How long quotes took, asked all at once over the broker and one after another over HTTP.
struct QuoteComparison: Sendable {
    static let modes = ["parallel", "sequential"]

    /// The quotes of one mode.
    private struct Series: Sendable {
        /// In microseconds.
        var times = Histogram<UInt64>(
            highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: .three)
        var partial = 0
    }

    private var series: [String: Series] = [:]

    mutating func record(_ quote: QuoteAnswer, took time: Duration) {
        series[quote.mode, default: Series()].times.record(UInt64(max(time / .microseconds(1), 1)))
        if !quote.missing.isEmpty { series[quote.mode]?.partial += 1 }
    }

    struct Report: Codable, Equatable, Sendable {
        let mode: String
        let count: Int
        /// How many lacked a part.
        let partial: Int
        let p50Milliseconds: Double
        let p90Milliseconds: Double
        let p99Milliseconds: Double
        let maxMilliseconds: Double
    }

    var reports: [Report] {
        Self.modes.compactMap { mode in
            series[mode].map { series in
                func at(_ percentile: Double) -> Double { Double(series.times.valueAtPercentile(percentile)) / 1000 }
                return Report(
                    mode: mode, count: Int(series.times.totalCount), partial: series.partial, p50Milliseconds: at(50),
                    p90Milliseconds: at(90), p99Milliseconds: at(99), maxMilliseconds: Double(series.times.max) / 1000)
            }
        }
    }

    var lines: [String] {
        ["             quotes  partial    p50 ms    p90 ms    p99 ms    max ms"]
            + reports.map { report in
                let name = report.mode.padding(toLength: 10, withPad: " ", startingAt: 0)
                return name
                    + String(
                        format: "%9d%9d%10.1f%10.1f%10.1f%10.1f", report.count, report.partial, report.p50Milliseconds,
                        report.p90Milliseconds, report.p99Milliseconds, report.maxMilliseconds)
            }
    }
}
