import Foundation
import Histogram

/// What a run came to.
struct LoadReport: Encodable, Sendable {
    struct Latency: Encodable, Sendable {
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double

        /// For times up to an hour, in nanoseconds, with three digits.
        static func histogram() -> Histogram<UInt64> {
            Histogram(
                lowestDiscernibleValue: 1000, highestTrackableValue: 3_600_000_000_000,
                numberOfSignificantValueDigits: .three)
        }

        /// `nil` when nothing was recorded. Nanoseconds become milliseconds.
        init?(_ times: Histogram<UInt64>) {
            guard times.totalCount > 0 else { return nil }
            func at(_ percentile: Double) -> Double { Double(times.valueAtPercentile(percentile)) / 1e6 }
            p50 = at(50)
            p90 = at(90)
            p99 = at(99)
            p999 = at(99.9)
            max = Double(times.max) / 1e6
        }

        var text: String {
            String(
                format: "p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.1f ms", p50, p90, p99, p999, max)
        }
    }

    let endpoint: String
    let messages: Int
    let messageBytes: Int
    let queues: Int
    let backlog: Int
    let rate: Int?
    let seconds: Double
    let published: Int
    let deliveries: Int
    let deliveriesPerSecond: Double
    let publishMilliseconds: Latency?
    let publishToReceiveMilliseconds: Latency?
    /// `nil` when the server isn't a process of this machine that can be seen.
    let serverMicrosecondsPerDelivery: Double?
    let clientMicrosecondsPerDelivery: Double
    let serverResidentBytes: Int?
    /// Deliveries beyond the first of a message from a queue.
    let duplicates: Int
    /// Messages that a queue never delivered.
    let missing: Int
    /// Why the run ended before its end.
    let failure: String?

    var isRight: Bool { duplicates == 0 && missing == 0 && failure == nil }

    var lines: [String] {
        var lines = [
            String(
                format: "%d messages of %d bytes to %d queues in %.2f s: %.0f deliveries/s", published, messageBytes,
                queues, seconds, deliveriesPerSecond)
        ]
        if let latency = publishMilliseconds { lines.append("publish: \(latency.text)") }
        if let latency = publishToReceiveMilliseconds { lines.append("publish to receive: \(latency.text)") }
        if let server = serverMicrosecondsPerDelivery {
            lines.append(
                String(
                    format: "CPU per delivery: server %.2f µs, this program %.2f µs", server,
                    clientMicrosecondsPerDelivery))
        } else {
            lines.append("CPU of the server: unknown, for no process that can be seen here listens on that port")
        }
        if let bytes = serverResidentBytes {
            lines.append(String(format: "server's resident memory at the end: %.0f MB", Double(bytes) / 1e6))
        }
        if isRight {
            lines.append("Each queue delivered each message exactly once.")
        } else if missing > 0 || duplicates > 0 {
            lines.append("WRONG: \(missing) deliveries are missing, and \(duplicates) came more than once.")
        }
        if let failure { lines.append("It ended early: \(failure)") }
        return lines
    }
}
