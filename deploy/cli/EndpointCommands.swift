import ArgumentParser
import Foundation

/// What all commands about one endpoint take.
struct EndpointOptions: ParsableArguments {
    @OptionGroup var stack: StackOptions

    @Argument(help: "The endpoint's id, we_….")
    var endpoint: String
}

/// How the commands about endpoints print what they are answered.
struct EndpointOutput: ParsableArguments {
    @Flag(help: "Print one JSON object a line.")
    var json = false

    func show<Answer: Encodable>(_ answer: Answer, _ line: (Answer) -> String) throws {
        if json { try Standard().json(answer) } else { try Standard().line(line(answer)) }
    }
}

struct AddEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Registers an endpoint, and prints its id and its secret, which is shown once.")

    @OptionGroup var stack: StackOptions

    @Argument(help: "Where webhooks are sent.")
    var url: String

    @Option(help: "Who is told by mail when the endpoint is disabled.")
    var owner: String

    @Option(name: .customLong("event"), help: ArgumentHelp("Only this type; can be repeated.", valueName: "type"))
    var events: [String] = []

    @Option(help: "What it is for.")
    var description: String?

    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(stack) { client in
            let endpoint = try await client.addEndpoint(
                NewEndpoint(
                    url: url, eventTypes: events.isEmpty ? nil : events, description: description, ownerEmail: owner))
            try output.show(endpoint) { "\($0.id) \($0.secret ?? "")" }
        }
    }
}

struct ListEndpointsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the endpoints.")

    @OptionGroup var stack: StackOptions
    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(stack) { client in
            for endpoint in try await client.endpoints() { try output.show(endpoint, \.line) }
        }
    }
}

struct EndpointLogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Shows what was sent to an endpoint, the newest first, or each attempt at one.")

    @OptionGroup var options: EndpointOptions

    @Argument(help: "The delivery whose attempts are shown, wd_….")
    var delivery: String?

    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            guard let delivery else {
                for entry in try await client.deliveries(of: options.endpoint) { try output.show(entry, \.line) }
                return
            }
            let entry = try await client.delivery(delivery, of: options.endpoint)
            try output.show(entry, \.line)
            guard !output.json else { return }
            for attempt in entry.attempts ?? [] { try Standard().line("  \(attempt.line)") }
        }
    }
}

struct PingEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Sends an endpoint a ping, and prints the delivery to look up in its log.")

    @OptionGroup var options: EndpointOptions
    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            try output.show(try await client.ping(options.endpoint), \.line)
        }
    }
}

struct PauseEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Holds back what an endpoint is to be sent, until it is resumed.")

    @OptionGroup var options: EndpointOptions
    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            try output.show(try await client.act("pause", on: options.endpoint), \.line)
        }
    }
}

struct ResumeEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Sends webhooks to an endpoint again that was paused or disabled.")

    @OptionGroup var options: EndpointOptions
    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            try output.show(try await client.act("resume", on: options.endpoint), \.line)
        }
    }
}

struct RotateSecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Gives an endpoint a new secret, and prints it.")

    @OptionGroup var options: EndpointOptions

    @Option(help: ArgumentHelp("How long the old secret signs as well; a day by default.", valueName: "seconds"))
    var overlap: Int?

    @OptionGroup var output: EndpointOutput

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            let endpoint = try await client.rotateSecret(of: options.endpoint, overlapSeconds: overlap)
            try output.show(endpoint) {
                "\($0.secret ?? "") (the old one signs until \($0.previousSecretExpiresAt ?? "now"))"
            }
        }
    }
}

struct RedeliverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redeliver", abstract: "Sends one delivery again, or all that were given up since a time.")

    @OptionGroup var options: EndpointOptions

    @Argument(help: "The delivery, wd_….")
    var delivery: String?

    @Option(help: ArgumentHelp("All that were given up of what happened since.", valueName: "2026-01-31T12:00:00Z"))
    var since: String?

    @OptionGroup var output: EndpointOutput

    private struct Count: Encodable {
        let redelivered: Int
    }

    func validate() throws {
        guard (delivery == nil) != (since == nil) else { throw ValidationError("Give a delivery or --since.") }
    }

    func run() async throws {
        try await ShopClient.with(options.stack) { client in
            if let delivery {
                try output.show(try await client.redeliver(delivery, of: options.endpoint), \.line)
            }
            guard let since else { return }
            var count = 0
            var hasMore = true
            while hasMore {
                let part = try await client.redeliver(since: since, of: options.endpoint)
                count += part.redelivered
                hasMore = part.hasMore
            }
            try output.show(Count(redelivered: count)) { "\($0.redelivered) sent again." }
        }
    }
}

struct RemoveEndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Takes an endpoint away, with its log and what it was to be sent.")

    @OptionGroup var options: EndpointOptions

    func run() async throws {
        try await ShopClient.with(options.stack) { client in try await client.removeEndpoint(options.endpoint) }
    }
}
