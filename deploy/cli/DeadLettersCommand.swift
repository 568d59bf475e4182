import ArgumentParser
import Foundation

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "Looks into the dead letters, sends them back, or removes them.",
        subcommands: [List.self, Show.self, Redrive.self, Purge.self])

    struct Shelves: Decodable, Sendable {
        struct Shelf: Decodable, Sendable {
            let queue: String
            let source: String
            let count: Int
            let letters: [Letter]
        }

        struct Letter: Codable, Sendable {
            let messageId: String
            let eventId: String?
            let type: String?
            let correlationId: String?
            let subject: String?
            let reason: String
            let sentAt: String?
            let body: String
            let attributes: [String: String]
        }

        let queues: [Shelf]
    }

    struct Outcome: Codable, Sendable {
        let count: Int
    }

    /// Which messages of a queue are meant; exactly one of these.
    struct Selection: ParsableArguments {
        @Argument(help: "The dead-letter queue, such as order-dlq.")
        var queue: String

        @Option(name: .customLong("id"), help: ArgumentHelp("This message; may be repeated.", valueName: "message-id"))
        var ids: [String] = []

        @Option(help: "Those that are there for this reason.")
        var reason: String?

        @Flag(help: "All of them.")
        var all = false

        func validate() throws {
            guard [!ids.isEmpty, reason != nil, all].filter(\.self).count == 1 else {
                throw ValidationError("Say which messages: --id, --reason or --all.")
            }
        }

        func request(body: String? = nil) -> Request {
            Request(messageIds: ids.isEmpty ? nil : ids, reason: reason, all: all ? true : nil, body: body)
        }
    }

    struct Request: Encodable {
        let messageIds: [String]?
        let reason: String?
        let all: Bool?
        let body: String?
    }

    /// Asks the console to do something with messages, and says how many there were.
    fileprivate static func act(
        _ deed: String, _ queue: String, _ request: Request, stack: StackOptions, json: Bool, done: String
    ) async throws {
        try await ConsoleClient.with(stack) { console in
            let answer = try await console.post(
                "/api/dead-letters/\(queue.escapedForURL)/\(deed)", request, as: Outcome.self)
            try json ? Standard().line(answer.text) : Standard().line("\(answer.value.count) \(done)")
            guard answer.value.count > 0 else { throw ExitCode.nothingFound }
        }
    }
}

extension DeadLettersCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the dead letters, grouped by their reason.")

        @OptionGroup var stack: StackOptions

        @Argument(help: "Only those of this dead-letter queue.")
        var queue: String?

        @Flag(help: "Print one JSON object a line, for each message.")
        var json = false

        func run() async throws {
            try await ConsoleClient.with(stack) { console in
                let shelves = try await console.get("/api/dead-letters", as: Shelves.self).value.queues
                    .filter { queue == nil || $0.queue == queue }
                guard !json else { return try shelves.flatMap(\.letters).forEach(Standard().json) }
                try DeadLettersCommand.lines(shelves).forEach(Standard().line)
            }
        }
    }

    static func lines(_ shelves: [Shelves.Shelf]) -> [String] {
        let lines = shelves.flatMap { shelf in
            Dictionary(grouping: shelf.letters, by: \.reason).sorted { $0.key < $1.key }.flatMap { reason, letters in
                ["\(shelf.queue), \(letters.count): \(reason)"]
                    + letters.map { "  \($0.messageId)  \($0.type ?? "-")  \($0.subject ?? "-")  \($0.sentAt ?? "")" }
            }
        }
        return lines.isEmpty ? ["There are no dead letters."] : lines
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one dead letter with its body.", discussion: "Exits with 2 when it isn't there.")

        @OptionGroup var stack: StackOptions

        @Argument(help: "The broker's id of the message, as list prints it.")
        var message: String

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            try await ConsoleClient.with(stack) { console in
                let shelves = try await console.get("/api/dead-letters", as: Shelves.self).value.queues
                guard let letter = shelves.flatMap(\.letters).first(where: { $0.messageId == message }) else {
                    try Standard().complain("No dead-letter queue has a message '\(message)'.")
                    throw ExitCode.nothingFound
                }
                guard !json else { return try Standard().json(letter) }
                try Standard().line("reason: \(letter.reason)")
                for (name, value) in letter.attributes.sorted(by: { $0.key < $1.key }) where name != "reason" {
                    try Standard().line("\(name): \(value)")
                }
                try Standard().line(letter.body)
            }
        }
    }

    struct Redrive: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends dead letters back to the queue that they came from.",
            discussion: """
                They keep their ids, so that a consumer recognises what it has handled already: sending one back twice \
                has its effect once. Exits with 2 when there was nothing to send.
                """)

        @OptionGroup var stack: StackOptions
        @OptionGroup var selection: Selection

        @Option(help: ArgumentHelp("The new body of the one message that is meant.", valueName: "file"))
        var body: String?

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            var edited: String?
            if let body {
                guard let text = try? String(contentsOfFile: body, encoding: .utf8) else {
                    throw ShopError("\(body) can't be read.")
                }
                edited = text
            }
            try await DeadLettersCommand.act(
                "redrive", selection.queue, selection.request(body: edited), stack: stack, json: json,
                done: "sent back.")
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes dead letters for good.",
            discussion: "Asks first; --yes is the answer where nobody can be asked. Exits with 2 if nothing was there.")

        @OptionGroup var stack: StackOptions
        @OptionGroup var selection: Selection

        @Flag(help: "Don't ask.")
        var yes = false

        @Flag(help: "Print one JSON object.")
        var json = false

        func run() async throws {
            if !yes {
                guard isatty(STDIN_FILENO) == 1 else {
                    throw ShopError("Removing is for good; say --yes where nobody can be asked.")
                }
                try Standard().line("Remove them from \(selection.queue) for good? Type yes:")
                guard readLine() == "yes" else { throw ShopError("Nothing was removed.") }
            }
            try await DeadLettersCommand.act(
                "purge", selection.queue, selection.request(), stack: stack, json: json, done: "removed.")
        }
    }
}
