import Foundation
import Subprocess
import SystemPackage

/// Keeps one service running: starts it, forwards what it writes, and starts it again when it dies.
struct ServiceProcess: Sendable {
    /// How long a service has to stop after SIGTERM.
    static let stopTime = Duration.seconds(10)
    /// The exit status by which a service says that its configuration is wrong (EX_CONFIG of sysexits.h).
    private static let wrongConfiguration: Int32 = 78

    let name: String
    /// The program and its arguments.
    let command: [String]
    let environment: [String: String?]
    let folder: DataFolder
    let record: StackRecord
    let output: Output
    let stop = StopSignal()

    /// Returns once the service has ended after a stop. Throws when there is no use in starting it again.
    func run() async throws {
        var backoff = Backoff()
        while !stop.isRaised {
            let start = ContinuousClock.now
            let ending = try await runOnce()
            try await record.set(name, processID: nil)
            guard !stop.isRaised else { return }
            if ending == .exited(Self.wrongConfiguration) {
                throw ShopError("\(name) can't run with this configuration; its own line above says what is wrong.")
            }
            let lifetime = ContinuousClock.now - start
            let delay = backoff.delay(afterRunningFor: lifetime)
            try output.say(Self.notice(name, ending, after: lifetime, restartIn: delay))
            _ = try await stop.unlessRaised { try await Task.sleep(for: delay) }
        }
    }

    static func notice(
        _ name: String, _ ending: TerminationStatus, after lifetime: Duration, restartIn delay: Duration
    ) -> String {
        let how =
            switch ending {
            case .exited(let status): "ended with status \(status)"
            case .signaled(let signal): "was killed by signal \(signal)"
            }
        return
            "\(name) \(how) after \(lifetime.inSeconds(digits: 1)); it starts again in \(delay.inSeconds(digits: 1))."
    }

    private func runOnce() async throws -> TerminationStatus {
        let launch = Launch(command)
        var options = PlatformOptions()
        // Its own process group, so that Ctrl-C reaches the supervisor alone, which then stops the services in order.
        options.processGroupID = 0
        let overrides = environment.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) }
        let result = try await Subprocess.run(
            .path(FilePath(launch.path)), arguments: Arguments(launch.arguments),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: overrides)),
            workingDirectory: FilePath(folder.path), platformOptions: options,
            input: .none, output: .sequence, error: .combinedWithOutput
        ) { execution in
            try await record.set(name, processID: execution.processIdentifier.value)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await stop.wait()
                    guard stop.isRaised else { return }
                    try? execution.send(signal: .terminate)
                    try await Task.sleep(for: Self.stopTime)
                    try? execution.send(signal: .kill)
                    try output.say("\(name) did not stop within \(Self.stopTime.inSeconds(digits: 0)) and was killed.")
                }
                var cutter = LineCutter()
                for try await piece in execution.standardOutput {
                    for line in piece.withUnsafeBytes({ cutter.lines(adding: $0) }) {
                        try output.show(line, from: name)
                    }
                }
                if let line = cutter.last() { try output.show(line, from: name) }
                group.cancelAll()
            }
        }
        return result.terminationStatus
    }
}

/// How an executable is started so that it dies with the supervisor, even if that is killed with SIGKILL.
///
/// Linux sends a process a signal when the thread that started it ends (PR_SET_PDEATHSIG). `setpriv` of util-linux asks
/// for that and then becomes the service. Subprocess starts all children from one thread that lives as long as
/// the process does, so the signal comes when it should. Where there is no `setpriv`, such children survive, and
/// the next start names them.
struct Launch: Sendable, Equatable {
    static let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let path: String
    let arguments: [String]

    init(_ command: [String], setpriv: String? = Self.setpriv) {
        let whole = (setpriv.map { [$0, "--pdeathsig", "KILL", "--"] } ?? []) + command
        path = whole[0]
        arguments = Array(whole.dropFirst())
    }
}

extension Duration {
    /// `0.84 s`.
    func inSeconds(digits: Int) -> String {
        String(format: "%.\(digits)f s", seconds)
    }

    var seconds: Double {
        self / .seconds(1)
    }

    var milliseconds: Double {
        self / .milliseconds(1)
    }
}
