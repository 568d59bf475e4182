import Foundation

/// When a webhook that failed is sent again, and when that comes to an end.
public struct RetrySchedule: Sendable, Equatable {
    /// The wait after the first attempt, the second, and so on. There is no attempt after the last of them.
    public var delays: [Duration]

    public init(delays: [Duration]) { self.delays = delays }

    /// What the Standard Webhooks specification recommends: ten attempts over about three days.
    public static let standard = RetrySchedule(
        delays: [.seconds(5), .seconds(5 * 60), .seconds(30 * 60)]
            + [2, 5, 10, 14, 20, 24].map { .seconds($0 * 3600) })

    /// The longest that a receiver's `Retry-After` is believed.
    public static let longestRetryAfter = Duration.seconds(24 * 3600)

    /// The same in another measure of time; tests and demonstrations haven't got three days.
    public func scaled(by factor: Double) -> RetrySchedule { RetrySchedule(delays: delays.map { $0 * factor }) }

    /// From the first attempt to the last, as far as the schedule goes.
    public var total: Duration { delays.reduce(.zero, +) }

    /// The wait before the next attempt.
    /// - Parameters:
    ///   - number: how many attempts there have been, 1 after the first.
    ///   - retryAfter: how long the receiver asked to be left alone, which can only make it longer.
    ///   - jitter: picks from a range; it keeps the retries of many from coming at the same moment.
    /// - Returns: `nil` if that was the last attempt.
    public func delay(
        afterAttempt number: Int, retryAfter: Duration? = nil,
        jitter: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
    ) -> Duration? {
        guard number >= 1, number <= delays.count else { return nil }
        return max(delays[number - 1] * jitter(0.8...1.2), retryAfter ?? .zero)
    }
}

/// The value of a `Retry-After` header (RFC 9110 section 10.2.3).
public enum RetryAfter {
    /// How long to wait: a number of seconds, or the time until an HTTP date, cut off at
    /// ``RetrySchedule/longestRetryAfter``.
    /// - Returns: `nil` for what is neither; zero for a date that is past.
    public static func parse(_ value: String, now: Date) -> Duration? {
        let text = value.trimmingCharacters(in: .whitespaces)
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            // More digits than fit into a number are longer than the longest, too.
            return min(Int64(text).map { .seconds($0) } ?? .seconds(Int64.max), RetrySchedule.longestRetryAfter)
        }
        guard let date = HTTPDate.parse(text) else { return nil }
        let longest = Double(RetrySchedule.longestRetryAfter.components.seconds)
        return .seconds(min(max(0, date.timeIntervalSince(now)), longest))
    }
}

/// The three forms of a date in HTTP (RFC 9110 section 5.6.7), of which receivers must take all.
enum HTTPDate {
    /// The preferred form, that of RFC 850, and that of C's `asctime`.
    private static let formats = [
        "EEE, dd MMM yyyy HH:mm:ss zzz", "EEEE, dd-MMM-yy HH:mm:ss zzz", "EEE MMM d HH:mm:ss yyyy",
    ]

    static func parse(_ text: String) -> Date? {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        return formats.lazy.compactMap { format in
            formatter.dateFormat = format
            return formatter.date(from: text)
        }.first
    }
}
