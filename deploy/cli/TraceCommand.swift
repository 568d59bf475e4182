import ArgumentParser
import Foundation

struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Shows the timeline of an order: each step in each service, with waits, attempts and errors.",
        discussion: "Exits with 2 when nobody has heard of the id.")

    struct Report: Decodable, Sendable {
        struct Timeline: Decodable, Sendable {
            let correlationId: String?
            let durationMicroseconds: Int64
            let spans: [Span]
        }

        struct Span: Decodable, Sendable {
            let service: String
            let name: String
            let depth: Int
            let startMicroseconds: Int64
            let durationMicroseconds: Int64
            let waitMicroseconds: Int64?
            let attempt: Int64?
            let mark: String?
            let statusMessage: String?
        }

        let timeline: Timeline
        let order: OrderAnswer?
        let notes: [String]
    }

    @OptionGroup var stack: StackOptions

    @Argument(help: "The id of an order, a correlation id or a trace id.")
    var id: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        try await ConsoleClient.with(stack) { console in
            do {
                let answer = try await console.get("/api/timelines/\(id.escapedForURL)", as: Report.self)
                guard !json else { return try Standard().line(answer.text) }
                try Self.lines(answer.value).forEach(Standard().line)
            } catch let refused as Refused where refused.status == 404 {
                try Standard().complain("Nobody has heard of '\(id)'.")
                throw ExitCode.nothingFound
            }
        }
    }

    static func lines(_ report: Report) -> [String] {
        var lines = report.notes
        if let order = report.order {
            let states = order.history.map(\.status).joined(separator: " → ")
            lines.append("Order \(order.orderId): \(states)\(order.reason.map { " because of \($0)" } ?? "")")
        }
        if let id = report.timeline.correlationId { lines.append("  correlation \(id)") }
        guard !report.timeline.spans.isEmpty else { return lines + ["  The console has no spans of it."] }
        return lines + report.timeline.spans.map(line)
    }

    private static func line(_ span: Report.Span) -> String {
        let indent = String(repeating: "  ", count: min(span.depth, 12))
        var line = "  \(padded(duration(span.startMicroseconds), 10, left: true))  "
        line += "\(padded(span.service, LogLine.nameWidth))  \(padded(indent + span.name, 44))  "
        line += padded(duration(span.durationMicroseconds), 9, left: true)
        if let wait = span.waitMicroseconds { line += "  waited \(duration(wait))" }
        if let attempt = span.attempt, attempt > 1 { line += "  attempt \(attempt)" }
        if let mark = span.mark { line += "  \(words[mark] ?? mark)" }
        if let message = span.statusMessage { line += ": \(message)" }
        return line
    }

    private static let words = ["deadLettered": "dead letter", "error": "failed"]

    static func duration(_ microseconds: Int64) -> String {
        switch microseconds {
        case ..<1000: "\(microseconds) µs"
        case ..<1_000_000: String(format: "%.1f ms", Double(microseconds) / 1000)
        default: String(format: "%.2f s", Double(microseconds) / 1_000_000)
        }
    }

    private static func padded(_ text: String, _ width: Int, left: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return left ? space + text : text + space
    }
}
