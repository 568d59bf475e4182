/// Makes a service take its time with its part of a quote, for trying what it buys to ask several at once: the services
/// here only look something up, where others have to ask a warehouse's or a bank's system.
public struct AnswerDelay: Sendable {
    private let duration: Duration

    /// For the service's `--help`.
    public static let variable = EnvironmentVariable(
        name, "how long its part of a quote takes, for trying", default: "0")
    private static let name = "ANSWER_DELAY_MILLISECONDS"

    /// - Throws: ``ConfigurationError`` if the setting is no number from 0 to 10,000.
    public init(_ configuration: ServiceConfiguration) throws(ConfigurationError) {
        duration = try configuration.milliseconds(Self.name, default: 0, in: 0...10_000)
    }

    /// No delay.
    public static let none = AnswerDelay(duration: .zero)

    private init(duration: Duration) { self.duration = duration }

    /// Lets the time pass.
    public func pass() async throws {
        if duration > .zero { try await ContinuousClock().sleep(for: duration) }
    }
}
