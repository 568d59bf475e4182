import Foundation
import Subprocess
import SystemPackage
import TestSupport

/// One life of a process: from its start to its end.
struct ProgramRun: Sendable {
    let replica: Replica
    private let started = Probe<Result<pid_t, any Error>>()
    private let ended = Probe<TerminationStatus>()

    init(_ replica: Replica) { self.replica = replica }

    /// The process id, once it has one.
    func processID() async throws -> pid_t {
        guard let result = await started.first(where: { _ in true }) else { throw CancellationError() }
        return try result.get()
    }

    /// Waits for its end.
    func ending() async throws -> TerminationStatus {
        guard let status = await ended.first(where: { _ in true }) else { throw CancellationError() }
        return status
    }

    var hasEnded: Bool { !ended.values.isEmpty }

    /// Sends a signal, if it still runs.
    func send(_ signal: Int32) async throws {
        let processID = try await processID()
        if !hasEnded { Foundation.kill(processID, signal) }
    }

    /// Runs the process to its end.
    func run(environment: [String: String], folder: String, log: String) async {
        do {
            let file = try FileDescriptor.open(
                FilePath(log), .writeOnly, options: [.append, .create], permissions: [.ownerReadWrite])
            let launch = Self.dyingWithTests(try replica.program.command(port: environment["PORT"] ?? ""))
            let variables = environment.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) }
            let result = try await Subprocess.run(
                .path(FilePath(launch[0])), arguments: Arguments(Array(launch.dropFirst())),
                environment: .custom(Dictionary(uniqueKeysWithValues: variables)), workingDirectory: FilePath(folder),
                input: .none, output: .fileDescriptor(file, closeAfterSpawningProcess: true),
                error: .combinedWithOutput
            ) { started.record(.success($0.processIdentifier.value)) }
            ended.record(result.terminationStatus)
        } catch {
            started.record(.failure(error))
            ended.record(.exited(-1))
        }
    }

    /// The command for a child that dies with the tests, even if those are killed: `setpriv` has Linux send it SIGKILL when
    /// the thread that started it ends, and Subprocess starts all children from one thread that lives as long as its process.
    static func dyingWithTests(_ command: [String]) -> [String] {
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        return (setpriv.map { [$0, "--pdeathsig", "KILL", "--"] } ?? []) + command
    }
}
