import ArgumentParser
import Foundation

/// What puts load on the shop, or a part of it, and measures what it bears.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Puts load on the shop, or a part of it, and measures it.",
        discussion: """
            Without a subcommand it places orders: shop load --rate 100 --duration 60s. Each subcommand's help says what \
            its exit status means: 0 all is well, 1 something failed or was lost, 64 the command isn't understood.
            """,
        subcommands: [LoadOrdersCommand.self, LoadBrokerCommand.self, LoadStreamsCommand.self],
        defaultSubcommand: LoadOrdersCommand.self)
}

struct LoadBrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract: "Measures a server that speaks Amazon SNS and SQS.",
        discussion: """
            Publishes messages to a topic whose queues are drained and emptied at the same time, and checks that each \
            queue got each message exactly once. Without --rate it is about throughput: batches of ten over \
            \(BrokerLoad.publishers) connections, \(BrokerLoad.consumers) more for each queue. With --rate messages are \
            published one by one on a fixed schedule, and times count from when each was due. The topic and the queues \
            are made for the run and removed after it.

            Requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by default the keys of the shop.

            Exit status: 0 each message came exactly once; 1 one was lost or came twice, or nothing could be measured.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("How many messages to publish.", valueName: "n"))
    var messages = 200_000

    @Option(help: ArgumentHelp("How long each message is.", valueName: "bytes"))
    var size = 1024

    @Option(help: ArgumentHelp("How many queues get each message.", valueName: "k"))
    var queues = 2

    @Option(help: ArgumentHelp("The server; by default the broker of the shop.", valueName: "url"))
    var endpoint: String?

    @Option(help: ArgumentHelp("Publish so many messages a second.", valueName: "r"))
    var rate: Int?

    @Option(help: ArgumentHelp("Put so many messages into each queue first, and leave as many there.", valueName: "b"))
    var backlog = 0

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    func validate() throws {
        guard messages > 0, backlog >= 0, messages + backlog <= 100_000_000 else {
            throw ValidationError("--messages must be positive, and no more than 100,000,000 with --backlog.")
        }
        guard 64...26_000 ~= size else {
            throw ValidationError("--size must be between 64 and 26000: ten of them go into a request.")
        }
        guard 1...100 ~= queues else { throw ValidationError("--queues must be between 1 and 100.") }
        guard 1...100_000 ~= rate ?? 1 else { throw ValidationError("--rate must be between 1 and 100000.") }
    }

    func run() async throws {
        let plan = try BrokerLoad.Plan(
            endpoint: LoadEndpoint(parsing: address()), signer: signer(), messages: messages, size: size,
            queues: queues, rate: rate, backlog: backlog)
        let report = try await BrokerLoad.run(plan)
        if json { try Standard().json(report) } else { try report.lines.forEach(Standard().line) }
        if !report.isRight { throw ExitCode.failure }
    }

    private func address() throws -> String {
        if let address = endpoint ?? ProcessInfo.processInfo.environment["AWS_ENDPOINT_URL"] { return address }
        let running = try StackFile.read(from: stack.folder.stackPath)?.services.first { $0.name == "broker" }
        return "http://127.0.0.1:\(running?.port ?? 4566 + (stack.portOffset ?? 0))"
    }

    private func signer() throws -> LoadSigner {
        let environment = ProcessInfo.processInfo.environment
        let keys = (try? String(contentsOfFile: stack.folder.keysPath, encoding: .utf8)).map(Keys.init(text:))?.values
        func key(_ name: String) -> String { environment[name] ?? keys?[name] ?? "any" }
        return LoadSigner(
            accessKeyID: key("AWS_ACCESS_KEY_ID"), secretAccessKey: key("AWS_SECRET_ACCESS_KEY"),
            region: environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1")
    }
}
