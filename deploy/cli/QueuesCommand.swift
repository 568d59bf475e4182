import ArgumentParser
import Foundation

struct QueuesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues",
        abstract: "Shows each queue: what waits in it, for how long, and how much is among its dead letters.")

    struct Overview: Decodable, Sendable {
        struct Service: Decodable, Sendable {
            let name: String
            let status: String
            let detail: String?
            let outboxDepth: Int?
        }

        struct Queue: Codable, Sendable {
            let name: String
            let visible: Int
            let inFlight: Int
            let delayed: Int
            let oldestSeconds: Double
            let deadLetters: Int
        }

        let services: [Service]
        let queues: [Queue]
    }

    @OptionGroup var stack: StackOptions

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() async throws {
        try await ConsoleClient.with(stack) { console in
            let queues = try await console.get("/api/overview", as: Overview.self).value.queues
            guard !json else { return try queues.forEach(Standard().json) }
            try Standard().line(Self.row("", "waiting", "in hand", "delayed", "oldest", "dead"))
            for queue in queues {
                let oldest = queue.oldestSeconds > 0 ? String(format: "%.1f s", queue.oldestSeconds) : "-"
                try Standard().line(
                    Self.row(
                        queue.name, "\(queue.visible)", "\(queue.inFlight)", "\(queue.delayed)", oldest,
                        "\(queue.deadLetters)"))
            }
        }
    }

    private static func row(_ name: String, _ columns: String...) -> String {
        let cells = columns.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }
        return name.padding(toLength: 16, withPad: " ", startingAt: 0) + cells.joined()
    }
}
