/// Decides which traces are recorded: OpenTelemetry's `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
///
/// The decision is taken from the trace's id, so that every service takes the same one, whoever is asked first.
public struct Sampler: Equatable, Sendable {
    /// Which share of the traces that begin here is recorded, from 0 to 1.
    let ratio: Double
    /// Whether a trace that came from elsewhere keeps its caller's decision.
    let followsCaller: Bool

    /// Everything, unless the caller decided otherwise.
    public static let standard = Sampler(ratio: 1, followsCaller: true)

    /// The names that there are.
    public static let names = [
        "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
        "parentbased_traceidratio",
    ]

    init(ratio: Double, followsCaller: Bool) {
        self.ratio = ratio
        self.followsCaller = followsCaller
    }

    /// - Parameters:
    ///   - name: one of ``names``.
    ///   - argument: the share of traces, from 0 to 1; only the samplers by ratio need it.
    /// - Returns: nil for a name that isn't known.
    public init?(named name: String, argument: Double) {
        guard Self.names.contains(name) else { return nil }
        self.followsCaller = name.hasPrefix("parentbased_")
        switch name.split(separator: "_").last {
        case "on": self.ratio = 1
        case "off": self.ratio = 0
        default: self.ratio = argument
        }
    }

    /// - Parameter caller: where the trace came from; nil if it begins here.
    func samples(_ trace: TraceID, caller: SpanContext?) -> Bool {
        if self.followsCaller, let caller { return caller.isSampled }
        // A double holds 53 bits: the largest ids would be rounded to 1.
        return self.ratio >= 1 || Double(trace.low) < self.ratio * 0x1p64
    }
}
