import ArgumentParser

/// A length of time as it is typed: `500ms`, `60s`, `5m`, `2h`; a number alone is seconds.
struct TimeSpan: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
    let duration: Duration
    let description: String

    private static let milliseconds = ["ms": 1.0, "s": 1000, "m": 60_000, "h": 3_600_000]

    init?(argument: String) {
        guard let match = argument.wholeMatch(of: #/(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?/#),
            let number = Double(match.1), let unit = Self.milliseconds[match.2.map(String.init) ?? "s"]
        else { return nil }
        duration = .milliseconds(number * unit)
        description = argument
    }

    init(seconds: Int) {
        duration = .seconds(seconds)
        description = "\(seconds)s"
    }
}
