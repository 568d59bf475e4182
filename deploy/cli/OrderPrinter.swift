import Foundation

/// Prints what `shop order` and `shop status` have seen: for people, or one JSON object a line.
struct OrderPrinter: Sendable {
    private struct EndingLine: Encodable {
        let orderId: String
        let outcome: Outcome
        let settled: Bool
        let missing: [String]
        let acceptedToConfirmedMilliseconds: Double?
        let elapsedMilliseconds: Double
    }

    let isJSON: Bool
    /// Only the summary is wanted.
    let isQuiet: Bool
    /// Many orders get a line each, a single one a line for each step.
    let isSingle: Bool

    private let out = Standard()

    init(isJSON: Bool, isQuiet: Bool, isSingle: Bool) {
        self.isJSON = isJSON
        self.isQuiet = isQuiet
        self.isSingle = isSingle
    }

    func show(_ step: Step) throws {
        guard !isQuiet, isSingle || isJSON else { return }
        try isJSON ? out.json(step) : out.line(Self.text(step))
    }

    func show(_ ending: OrderRun.Ending) throws {
        guard !isQuiet else { return }
        guard !isJSON else {
            return try out.json(
                EndingLine(
                    orderId: ending.orderID, outcome: ending.outcome, settled: ending.isSettled,
                    missing: ending.missing,
                    acceptedToConfirmedMilliseconds: ending.acceptedToConfirmed?.milliseconds,
                    elapsedMilliseconds: ending.elapsed.milliseconds))
        }
        try out.line(Self.text(ending, isSingle: isSingle))
    }

    func show(_ summary: LatencySummary) throws {
        try isJSON ? out.json(summary.report) : summary.lines.forEach(out.line)
    }

    static func text(_ step: Step) -> String {
        let time = String(format: "%8.3f s", step.elapsedMilliseconds / 1000)
        return "\(time)  \(columns(step.service, step.step)) \(step.detail ?? "")".trimmedAtEnd
    }

    static func columns(_ service: String, _ step: String) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
        }
        return "\(padded(service, LogLine.nameWidth))  \(padded(step, 22))"
    }

    static func text(_ ending: OrderRun.Ending, isSingle: Bool) -> String {
        let time = String(format: "%8.3f s", ending.elapsed.seconds)
        let name = isSingle ? "" : "\(ending.orderID) "
        guard ending.isSettled else {
            return "\(time)  \(name)not settled in time: \(ending.missing.joined(separator: ", ")) did not come"
        }
        return "\(time)  \(name)settled: \(ending.outcome.rawValue)"
    }
}

extension String {
    fileprivate var trimmedAtEnd: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
