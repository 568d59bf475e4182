import AsyncHTTPClient
import Foundation
import Subprocess
import Synchronization
import TestSupport
import Testing

/// The whole shop as real processes on free ports, with real databases in a folder of their own.
final class Stack: Sendable {
    /// What differs between tests.
    struct Settings: Sendable {
        /// What is started, and waited for, before the test.
        var starting = Program.allCases
        /// How many processes each service is.
        var replicas = Stack.givenReplicas
        /// Whether the services begin with files, one process each, until ``Stack/moveToServer()``.
        var movesToServer = false
        var paymentTimeoutSeconds = 5
        /// Whether the services export their spans, which then can be looked at.
        var recordsTraces = false
        /// How long notification waits for what comes before a line.
        var holdBackSeconds = 60
        /// Later than any payment timeout.
        var slowDelayMilliseconds: Int { paymentTimeoutSeconds * 1000 + 1000 }
    }

    /// The stack of the test that is running.
    @TaskLocal static var current: Stack?

    /// `TEST_REPLICAS`, for databases that can be shared.
    static let givenReplicas = ProcessInfo.processInfo.environment["TEST_REPLICAS"].flatMap { Int($0) } ?? 1

    /// What the broker asks of everybody.
    static let accessKeyID = "system-tests"
    static let secretAccessKey = "the secret of the system tests"

    let folder: URL
    let settings: Settings
    let http: HTTPClient
    /// Signs webhooks; of this stack only.
    let webhookSecret: String
    /// Gets the services' spans, if the settings say so.
    let traces = TraceReceiver()
    /// Addresses on a server, by whose they are; all others have files.
    private let databases: [String: String]
    /// By which the stack's ports differ from those of a shop that `deploy/up` starts.
    let portOffset: Int
    /// Without the offset, where OpenTelemetry has its receivers.
    private static let tracesPort = 4318
    private let launches: AsyncStream<ProgramRun>.Continuation
    private let runs = Mutex<[Replica: ProgramRun]>([:])
    /// Requests go to the replicas in turn, and so do blows.
    private let turns = Mutex(0)
    private let logsShown = Mutex(0)
    private let isOnFiles: Mutex<Bool>

    private init(
        folder: URL, databases: [String: String], settings: Settings, http: HTTPClient,
        launches: AsyncStream<ProgramRun>.Continuation
    ) throws {
        self.folder = folder
        self.databases = databases
        self.settings = settings
        isOnFiles = Mutex(settings.movesToServer)
        self.http = http
        self.launches = launches
        let replicas = Program.watched.flatMap { Replica.all(of: $0, settings.replicas) }
        portOffset = try FreePorts.offset(for: replicas.map(\.port) + [Self.tracesPort])
        var random = SystemRandomNumberGenerator()
        let key = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        webhookSecret = "whsec_" + Data(key).base64EncodedString()
        try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
    }

    /// Runs `body` with a stack, which is ready when it begins and of which nothing is left when this returns.
    static func run(_ settings: Settings = Settings(), _ body: @Sendable (Stack) async throws -> Void) async throws {
        // With SQLite each has a file in the stack's folder.
        guard TestEngine.current == .postgreSQL else { return try await run(settings, databases: [:], body) }
        let owners = Program.services.map(\.rawValue) + ["gateway"]
        try await withTemporaryDatabaseURLs(owners.count) { urls in
            try await run(settings, databases: Dictionary(uniqueKeysWithValues: zip(owners, urls)), body)
        }
    }

    private static func run(
        _ settings: Settings, databases: [String: String], _ body: @Sendable (Stack) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let (launched, launches) = AsyncStream<ProgramRun>.makeStream()
            let http = httpClient()
            let result: Result<Void, any Error>
            do {
                let stack = try Stack(
                    folder: folder, databases: databases, settings: settings, http: http, launches: launches)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await stack.keepRunning(launched) }
                    let outcome: Result<Void, any Error>
                    do { outcome = .success(try await stack.use(body)) } catch { outcome = .failure(error) }
                    launches.finish()
                    await stack.killAll()
                    try await group.waitForAll()
                    try outcome.get()
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            try await http.shutdown()
            try result.get()
        }
    }

    private func use(_ body: @Sendable (Stack) async throws -> Void) async throws {
        guard settings.recordsTraces else { return try await useStarted(body) }
        try await withRunning(traces.server(port: tracesPort)) { _ in try await useStarted(body) }
    }

    private func useStarted(_ body: @Sendable (Stack) async throws -> Void) async throws {
        try await Stack.$current.withValue(self) {
            for program in settings.starting { start(program) }
            for program in settings.starting { try await waitUntilReady(program) }
            try await body(self)
            expectNoCrash()
        }
    }

    /// Processes are children of this task, which ends when all of them have.
    private func keepRunning(_ launched: AsyncStream<ProgramRun>) async {
        await withDiscardingTaskGroup { group in
            for await run in launched {
                group.addTask {
                    await run.run(
                        environment: self.environment(of: run.replica), folder: self.folder.path,
                        log: self.log(of: run.replica).path)
                }
            }
        }
    }
}

// MARK: - Lives and deaths

extension Stack {
    /// Starts what doesn't run of a program, on the port and with the data that it had before.
    func start(_ program: Program) {
        let started = runs.withLock { runs in
            replicas(of: program).filter { runs[$0] == nil }.map { replica in
                let run = ProgramRun(replica)
                runs[replica] = run
                return run
            }
        }
        for run in started { launches.yield(run) }
    }

    /// What is started from now on begins on the server with the data of the files.
    func moveToServer() { isOnFiles.withLock { $0 = false } }

    /// `kill -9` to all of a program, and waits until it is dead.
    func kill(_ program: Program) async throws {
        for replica in replicas(of: program) { try await kill(replica) }
    }

    /// `kill -9` to one of a program's processes, the next one in turn.
    func killOne(of program: Program) async throws {
        try await kill(nextReplica(of: program))
    }

    private func kill(_ replica: Replica) async throws {
        guard let run = runs.withLock({ $0.removeValue(forKey: replica) }) else { return }
        try await run.send(SIGKILL)
        _ = try await run.ending()
    }

    /// Asks a program to stop, and waits until it has.
    @discardableResult
    func stop(_ program: Program) async throws -> TerminationStatus { try await stop(replicas(of: program)) }

    /// Asks one of a program's processes to stop, and waits until it has.
    func stop(_ replica: Replica) async throws -> TerminationStatus { try await stop([replica]) }

    private func stop(_ replicas: [Replica]) async throws -> TerminationStatus {
        let stopped = runs.withLock { runs in replicas.compactMap { runs.removeValue(forKey: $0) } }
        for run in stopped { try await run.send(SIGTERM) }
        var statuses: [TerminationStatus] = []
        for run in stopped { statuses.append(try await run.ending()) }
        guard let status = statuses.first(where: { $0 != .exited(0) }) ?? statuses.first else {
            throw SystemTestError("\(replicas) don't run.")
        }
        return status
    }

    private func runs(of program: Program) -> [ProgramRun] {
        runs.withLock { runs in replicas(of: program).compactMap { runs[$0] } }
    }

    /// Stops a program's clockwork, as an overloaded machine does: it holds its connections and doesn't answer.
    func freeze(_ program: Program) async throws { try await signal(program, SIGSTOP) }

    /// Lets it go on.
    func thaw(_ program: Program) async throws { try await signal(program, SIGCONT) }

    private func signal(_ program: Program, _ signal: Int32) async throws {
        let signalled = runs(of: program)
        if signalled.isEmpty { throw SystemTestError("\(program) doesn't run.") }
        for run in signalled { try await run.send(signal) }
    }

    /// Kills a program and starts it again.
    func restart(_ program: Program) async throws {
        try await kill(program)
        start(program)
    }

    /// Waits until a program says that it can do its work.
    func waitUntilReady(_ program: Program, within limit: Duration = .seconds(60)) async throws {
        for replica in replicas(of: program) {
            try await eventually("\(replica) is ready", within: limit) {
                try await ShopAPI(stack: self).send(.get, url(of: replica) + program.readyPath).status == 200
            }
        }
    }

    /// The memory that a program takes (VmRSS of Linux's /proc).
    func residentBytes(of program: Program) async throws -> Int {
        guard let run = runs(of: program).first else { throw SystemTestError("\(program) doesn't run.") }
        let status = try await String(contentsOfFile: "/proc/\(run.processID())/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
            throw SystemTestError("There is no VmRSS of \(program).")
        }
        return kilobytes * 1024
    }

    private func killAll() async {
        let left = runs.withLock { runs in
            defer { runs = [:] }
            return Array(runs.values)
        }
        for run in left { try? await run.send(SIGKILL) }
    }

    /// Whatever runs must still run: nobody may end by itself.
    private func expectNoCrash() {
        for run in runs.withLock({ Array($0.values) }) where run.hasEnded {
            Issue.record("\(run.replica) ended by itself")
        }
    }
}

// MARK: - Where things are

extension Stack {
    /// Where a program can be asked; of several processes that are the same, the next one in turn.
    func url(of program: Program) -> String { url(of: nextReplica(of: program)) }

    /// Where each of a program's processes is.
    func urls(of program: Program) -> [String] { replicas(of: program).map(url) }

    private func url(of replica: Replica) -> String { "http://127.0.0.1:\(replica.port + portOffset)" }

    private var tracesPort: Int { Self.tracesPort + portOffset }

    private func replicas(of program: Program) -> [Replica] {
        Replica.all(of: program, isOnFiles.withLock { $0 } ? 1 : settings.replicas)
    }

    private func nextReplica(of program: Program) -> Replica {
        let replicas = replicas(of: program)
        guard replicas.count > 1 else { return replicas[0] }
        return turns.withLock { turns in
            turns += 1
            return replicas[turns % replicas.count]
        }
    }

    var maildir: URL { folder.appending(path: "maildir") }

    private var logs: URL { folder.appending(path: "logs") }

    private func log(of replica: Replica) -> URL { logs.appending(path: "\(replica).log") }

    /// What a program has logged so far, over all of its lives.
    func logLines(of program: Program) -> [Substring] {
        replicas(of: program).flatMap { replica in
            let text = (try? String(contentsOf: log(of: replica), encoding: .utf8)) ?? ""
            return text.split(separator: "\n")
        }
    }

    /// Whether a failure should show the logs: a few times they help, a hundred times they hide what failed.
    func mayShowLogs() -> Bool {
        logsShown.withLock { count in
            count += 1
            return count <= 3
        }
    }

    private func databaseURL(of owner: String) -> String {
        isOnFiles.withLock { $0 } ? fileURL(of: owner) : databases[owner] ?? fileURL(of: owner)
    }

    private func fileURL(of owner: String) -> String { "sqlite:\(folder.path)/\(owner).sqlite" }

    func environment(of replica: Replica) -> [String: String] {
        let program = replica.program
        var environment = [
            "HOST": "127.0.0.1", "PORT": "\(replica.port + portOffset)",
            "DATABASE_URL": databaseURL(of: program.rawValue), "LOG_LEVEL": "info",
            "AWS_ENDPOINT_URL": url(of: .broker), "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": Self.accessKeyID,
            "AWS_SECRET_ACCESS_KEY": Self.secretAccessKey, "MESSAGE_VISIBILITY_TIMEOUT_SECONDS": "2",
            "MESSAGE_RETRY_BASE_MILLISECONDS": "100", "PAYMENT_WEBHOOK_SECRET": webhookSecret,
            "PAYMENT_TIMEOUT_SECONDS": "\(settings.paymentTimeoutSeconds)",
            "INVENTORY_URL": url(of: .inventory), "LOYALTY_URL": url(of: .loyalty), "PAYMENT_URL": url(of: .payment),
            "ORDER_WEBHOOK_URL": "\(url(of: .order))/webhooks/payments",
            "GATEWAY_DATABASE_URL": databaseURL(of: "gateway"), "GATEWAY_DELAY_MILLISECONDS": "0",
            "GATEWAY_SLOW_DELAY_MILLISECONDS": "\(settings.slowDelayMilliseconds)", "MAILDIR": maildir.path,
            "HOLD_BACK_SECONDS": "\(settings.holdBackSeconds)", "STREAM_HEARTBEAT_SECONDS": "1",
            // A thousandth of the standard schedule: the third retry after 2 s, the last after 4.5 minutes.
            "WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "loopback", "WEBHOOK_RETRY_SCALE": "0.001",
            "WEBHOOK_TIMEOUT_MILLISECONDS": "2000",
        ]
        if settings.starting.contains(.console) {
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = Program.services.contains(program) ? url(of: .console) : nil
            environment["LOG_FOLDER"] = logs.path
            for service in Program.services { environment["\(service.rawValue.uppercased())_URL"] = url(of: service) }
        }
        if settings.movesToServer, !isOnFiles.withLock({ $0 }) {
            environment["DATABASE_IMPORT"] = fileURL(of: program.rawValue)
            environment["GATEWAY_DATABASE_IMPORT"] = fileURL(of: "gateway")
        }
        if settings.recordsTraces { environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:\(tracesPort)" }
        // Nothing else of the caller's: what is set there for other purposes must not decide a test.
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            environment[name] = ProcessInfo.processInfo.environment[name]
        }
        return environment
    }

    private static func httpClient() -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        // A program that isn't there is an answer here, not something to wait for.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        configuration.timeout.connect = .seconds(2)
        configuration.httpVersion = .http1Only
        configuration.tracing.tracer = nil
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }
}
