import Foundation
import Histogram

/// What many orders came to: how they ended, and how long the confirmed ones took.
struct LatencySummary: Sendable {
    /// The times from the 202 to the seen confirmation, in microseconds.
    private var times = Histogram<UInt64>(highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)
    private(set) var outcomes: [Outcome: Int] = [:]

    var count: Int { outcomes.values.reduce(0, +) }

    mutating func record(_ outcome: Outcome, acceptedToConfirmed: Duration?) {
        outcomes[outcome, default: 0] += 1
        if let acceptedToConfirmed {
            times.record(UInt64(max(acceptedToConfirmed / .microseconds(1), 1)))
        }
    }

    struct Report: Codable, Equatable, Sendable {
        struct Latency: Codable, Equatable, Sendable {
            let p50: Double
            let p90: Double
            let p99: Double
            let max: Double
        }

        let count: Int
        let outcomes: [String: Int]
        /// `nil` when no order was confirmed.
        let acceptedToConfirmedMilliseconds: Latency?
    }

    var report: Report {
        func at(_ percentile: Double) -> Double {
            Double(times.valueAtPercentile(percentile)) / 1000
        }
        let latency = Report.Latency(p50: at(50), p90: at(90), p99: at(99), max: Double(times.max) / 1000)
        return Report(
            count: count,
            outcomes: Dictionary(uniqueKeysWithValues: outcomes.map { ($0.key.rawValue, $0.value) }),
            acceptedToConfirmedMilliseconds: times.totalCount == 0 ? nil : latency)
    }

    var lines: [String] {
        let ends = Outcome.allCases.compactMap { outcome in outcomes[outcome].map { "\($0) \(outcome.rawValue)" } }
        let latency = report.acceptedToConfirmedMilliseconds.map { latency in
            String(
                format: "accepted to confirmed: p50 %.1f ms, p90 %.1f ms, p99 %.1f ms, max %.1f ms",
                latency.p50, latency.p90, latency.p99, latency.max)
        }
        return ["\(count) orders: \(ends.joined(separator: ", "))"] + [latency].compactMap(\.self)
    }
}
