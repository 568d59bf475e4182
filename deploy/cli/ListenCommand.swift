import ArgumentParser
import Foundation
import Hummingbird
import Logging
import ServiceLifecycle
import Webhooks

struct ListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Runs a webhook endpoint that verifies and prints what it gets, until Ctrl-C.",
        discussion: """
            Without --secret it registers itself at the running shop, and takes itself away again at its end. \
            --fail, --status, --hang and --delay make it a bad endpoint, to see how the shop copes.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: "The port to listen on, at 127.0.0.1.")
    var port = 9000

    @Option(help: ArgumentHelp("The secret of an endpoint that is registered already.", valueName: "whsec_…"))
    var secret: String?

    @Option(name: .customLong("event"), help: ArgumentHelp("Only this type; can be repeated.", valueName: "type"))
    var events: [String] = []

    @Option(help: ArgumentHelp("Answer the first so many webhooks with 500.", valueName: "n"))
    var fail = 0

    @Option(help: ArgumentHelp("Answer with this status, such as 410 or 503, instead of 204.", valueName: "code"))
    var status = 204

    @Flag(help: "Never answer.")
    var hang = false

    @Option(help: ArgumentHelp("Answer so much later.", valueName: "seconds"))
    var delay = 0.0

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        guard (1...65_535).contains(port) else { throw ValidationError("--port must be from 1 to 65535.") }
        guard (200...599).contains(status) else { throw ValidationError("--status must be from 200 to 599.") }
        guard fail >= 0 else { throw ValidationError("--fail must not be negative.") }
        guard (0...3600).contains(delay) else { throw ValidationError("--delay must be from 0 to 3600.") }
        guard secret.map({ WebhookSecret($0) != nil }) ?? true else {
            throw ValidationError("--secret must be whsec_ and the base64 of 24 to 64 bytes.")
        }
    }

    func run() async throws {
        if let secret = secret.flatMap({ WebhookSecret($0) }) { return try await listen(secret) }
        try await ShopClient.with(stack) { client in
            let endpoint = try await client.addEndpoint(
                NewEndpoint(
                    url: "http://127.0.0.1:\(port)/", eventTypes: events.isEmpty ? nil : events,
                    description: "shop webhooks listen", ownerEmail: "listener@example.com"))
            guard let secret = endpoint.secret.flatMap({ WebhookSecret($0) }) else {
                throw ShopError("The shop gave no secret for the endpoint; see GET /webhook-endpoints.")
            }
            if !json { try Standard().line("Registered as \(endpoint.id); Ctrl-C takes it away again.") }
            let ended = await Result { try await listen(secret) }
            try await client.removeEndpoint(endpoint.id)
            try ended.get()
        }
    }

    private func listen(_ secret: WebhookSecret) async throws {
        let listener = WebhookListener(
            secret: secret,
            behaviour: .init(failures: fail, status: status, hangs: hang, delay: .seconds(delay)),
            show: { [json] receipt in
                if json { try Standard().json(receipt) } else { try Standard().line(receipt.line) }
            })
        var quiet = Logger(label: "listen")
        quiet.logLevel = .error
        let server = Application(
            router: listener.router(), configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { [json, port] _ in
                if !json { try? Standard().line("Listening on http://127.0.0.1:\(port)/.") }
            }, logger: quiet)
        do {
            try await ServiceGroup(
                services: [server], gracefulShutdownSignals: [.sigint, .sigterm], logger: quiet
            ).run()
        } catch {
            throw ShopError("Nothing could be received on port \(port) (\(error)); give another --port.")
        }
    }
}
