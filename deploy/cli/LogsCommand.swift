import ArgumentParser
import Foundation

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows the log lines of one correlation id, over all services and in their order.",
        discussion: "Exits with 2 when there are none.")

    private struct Lines: Decodable, Sendable {
        let isKept: Bool
    }

    @OptionGroup var stack: StackOptions

    @Option(help: "The correlation id; shop status and the answer to an order name it.")
    var correlation: String

    @Flag(help: "Print the lines as they were logged, one JSON object each.")
    var json = false

    func run() async throws {
        try await ConsoleClient.with(stack) { console in
            let path = "/api/logs?correlationId=\(correlation.escapedForURL)"
            let answer = try await console.get(path, as: Lines.self)
            guard answer.value.isKept else {
                throw ShopError("This shop keeps no log files; ask what collects its containers' output.")
            }
            // The fields of a line are the services' own; they are shown as they are.
            let lines = try Self.lines(in: answer.text)
            for (service, text) in lines {
                try Standard().line(json ? text : LogLine(service: service, isColoured: false).render(text))
            }
            guard !lines.isEmpty else {
                try Standard().complain("No line has the correlation id '\(correlation)'.")
                throw ExitCode.nothingFound
            }
        }
    }

    static func lines(in answer: String) throws -> [(service: String, text: String)] {
        let whole = try JSONSerialization.jsonObject(with: Data(answer.utf8)) as? [String: Any]
        let lines = whole?["lines"] as? [[String: Any]] ?? []
        return try lines.map { line in
            let data = try JSONSerialization.data(
                withJSONObject: line, options: [.sortedKeys, .withoutEscapingSlashes])
            return (line["service"] as? String ?? "", String(decoding: data, as: UTF8.self))
        }
    }
}
