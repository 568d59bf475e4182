/// An error that no retry can mend: the message isn't JSON, is of an unknown type or fails a check.
public struct Unprocessable: Error, Equatable, CustomStringConvertible {
    /// A sentence for whoever looks at the dead letter.
    public let description: String

    public init(_ reason: String) { description = reason }
}

/// Decides what becomes of a message whose handler failed; the only place that does.
public struct RetryPolicy: Sendable {
    /// The first retry comes at most this much later, the second at most twice that, and so on.
    public var base: Duration
    /// No retry comes later than this.
    public var longest: Duration
    /// With this delivery a message has had its chances.
    public var maxReceiveCount: Int

    public init(base: Duration = .seconds(1), longest: Duration = .seconds(300), maxReceiveCount: Int = 5) {
        self.base = base
        self.longest = longest
        self.maxReceiveCount = maxReceiveCount
    }

    /// What becomes of the message.
    public enum Disposition: Equatable, Sendable {
        case retry(after: Duration)
        case deadLetter(reason: String)
    }

    /// - Parameters:
    ///   - receiveCount: 1 after the first delivery.
    ///   - jitter: picks from a range; full jitter spreads the retries of a crowd over the whole delay.
    public func disposition(
        of error: any Error, receiveCount: Int,
        jitter: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
    ) -> Disposition {
        if let error = error as? Unprocessable { return .deadLetter(reason: error.description) }
        // The process is to end before it could be done. That is no failure of the message, and the next process has it at once.
        if error is CancellationError { return .retry(after: .zero) }
        if receiveCount >= maxReceiveCount {
            return .deadLetter(reason: "Failed \(receiveCount) times, the last time with: \(error)")
        }
        return .retry(after: delay(attempt: receiveCount, jitter: jitter))
    }

    /// The wait after the given attempt (1 is the first): exponential with full jitter.
    public func delay(
        attempt: Int, jitter: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
    ) -> Duration {
        let most = min(longest, base * (1 << min(max(attempt - 1, 0), 20)))
        return .seconds(jitter(0...most.inSeconds))
    }
}

extension Duration {
    /// As a number of seconds with fractions.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
