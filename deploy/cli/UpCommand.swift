import ArgumentParser
import Foundation
import UnixSignals

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Starts the broker and the services, and keeps them running until Ctrl-C.",
        discussion: """
            The services' settings pass through from the environment: PAYMENT_TIMEOUT_SECONDS, \
            GATEWAY_DELAY_MILLISECONDS, LOG_LEVEL, SMTP_URL, OTEL_EXPORTER_OTLP_ENDPOINT and so on. \
            Without a terminal, or with --json-logs, standard output carries the services' JSON log lines alone, \
            and everything else goes to standard error.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("The folder of the built programs; by default this program's own.", valueName: "folder"))
    var bin: String?

    @Option(help: ArgumentHelp("Only these services, separated by commas.", valueName: "names"))
    var services: String?

    @Option(
        help: ArgumentHelp(
            "Several processes of a service, such as email=2,order=3; their data is in a PostgreSQL server's databases.",
            valueName: "counts"))
    var replicas: String?

    @Option(
        help: ArgumentHelp(
            """
            Where a service's data is, {service} standing for its name, such as postgres://shop@db/{service}; by default \
            files in the data folder, or with --replicas a server of the shop's own.
            """, valueName: "url"))
    var databases: String?

    @Flag(
        name: .customLong("import"),
        help:
            "Begin with the data of the shop that ran in the data folder without --replicas; it can't run there again.")
    var imports = false

    @Option(help: ArgumentHelp("How long all may take to become ready.", valueName: "seconds"))
    var readyTimeout = 30

    @Flag(help: "Show the services' log lines as they are, on a terminal too.")
    var jsonLogs = false

    func run() async throws {
        let start = ContinuousClock.now
        // A reader of the log lines that goes away stops the shop in order, not at once.
        signal(SIGPIPE, SIG_IGN)
        let replicas = try Replicas(replicas, databases: databases)
        let entries = try replicas.applied(to: ServiceTable.selection(services))
        let addresses = try Addresses(portOffset: stack.portOffset ?? 0)
        let programs = try programs(for: entries)
        let folder = stack.folder
        let owners = Set(entries.filter { !$0.hasOwnFile }.flatMap(\.allDatabases.values))
        if let databases, !databases.contains("{service}"), owners.count > 1 {
            throw ShopError(
                "--databases names one database for all services; write {service} where the names are to go.")
        }
        let server = try databases == nil && replicas.areSeveral ? PostgreSQLServer(in: folder) : nil
        let databases = databases ?? server?.databases ?? Addresses.files
        if imports {
            // Once the data is in its databases, the files may be gone; of other servers, the services know.
            try folder.expectFiles(of: server?.isThere == false ? entries : [], for: databases)
        }
        try folder.create()
        let lock = try folder.lock()
        try PortCheck(addresses: addresses, leftover: try StackFile.read(from: folder.stackPath)).run(entries)
        let keys = try Keys.loadOrMake(path: folder.keysPath)
        try await server?.prepare(ServiceTable.databases)
        var known = entries.map { StackFile.Process(name: $0.processName, port: addresses.port(of: $0)) }
        if server != nil { known.insert(StackFile.Process(name: PostgreSQLServer.name, port: 0), at: 0) }
        let record = try StackRecord(
            StackFile(
                supervisorProcessID: ProcessInfo.processInfo.processIdentifier, portOffset: addresses.portOffset,
                startedAt: Date(), services: known),
            path: folder.stackPath)
        let output = Output(jsonLogs: jsonLogs, files: try LogFiles(folder: folder.logsPath))
        var processes = try zip(entries, programs).map { entry, program in
            ServiceProcess(
                name: entry.processName, command: [program],
                environment: try addresses.environment(
                    of: entry, data: folder.path, databases: databases, imports: imports, keys: keys,
                    receiver: addresses.receiver(of: entry, among: entries)),
                folder: folder, record: record, output: output)
        }
        if let server {
            processes.insert(
                ServiceProcess(
                    name: PostgreSQLServer.name, command: server.command, environment: [:], folder: folder,
                    record: record, output: output), at: 0)
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let ended = await Result {
            try await HTTP.with { http in
                let readiness = Readiness(
                    entries: entries, addresses: addresses, timeout: .seconds(readyTimeout), http: http)
                let supervisor = Supervisor(
                    processes: processes,
                    foundation: Set(entries.filter(\.isFoundation).map(\.name) + [PostgreSQLServer.name]),
                    output: output,
                    listen: { asked in
                        for await _ in signals { asked.yield() }
                    },
                    announce: {
                        try await readiness.wait()
                        let announcement = Announcement(
                            entries: entries, addresses: addresses, folder: folder, options: stack.asTyped)
                        try output.say(await announcement.text(readyAfter: ContinuousClock.now - start, http: http))
                    })
                try await supervisor.run()
            }
        }
        try await record.remove()
        try lock.release()
        try ended.get()
    }

    /// The executables, all of which must be there before anything is started.
    private func programs(for entries: [ServiceEntry]) throws -> [String] {
        let own = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent().path
        let folder = URL(fileURLWithPath: bin ?? own ?? ".").standardizedFileURL.path
        return try entries.map { entry in
            let path = "\(folder)/\(entry.name)"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw ShopError("The program \(path) is not there; build it with deploy/up, or give --bin.")
            }
            return path
        }
    }
}

extension Result where Failure == any Error {
    /// The outcome of an asynchronous body.
    init(_ body: () async throws -> Success) async {
        do {
            self = .success(try await body())
        } catch {
            self = .failure(error)
        }
    }
}
