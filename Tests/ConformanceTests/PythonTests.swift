import Foundation
import TestSupport

/// Runs files of Python tests with pytest.
enum PythonTests {
    /// What became of one test, as `conftest.py` writes it.
    struct Outcome: Decodable, Sendable {
        enum Kind: String, Decodable, Sendable {
            case passed, failed, skipped
        }

        let test: String
        let outcome: Kind
        let seconds: Double
        /// What went wrong, with the end of the broker's log; or why it was skipped.
        let text: String
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()

    static let files = [
        "test_access.py", "test_aws.py", "test_cli.py", "test_crash.py", "test_disk.py", "test_fifo.py",
        "test_filters.py", "test_frameworks.py", "test_https.py", "test_kubernetes.py", "test_malformed.py",
        "test_messages.py", "test_notifications.py", "test_openapi.py", "test_otlp.py", "test_query.py",
        "test_queues.py", "test_redrive.py", "test_topics.py",
    ]

    /// - Parameter report: a file that isn't there yet.
    static func run(_ file: String, report: URL) async throws -> [Outcome] {
        var environment: [String: String?] = ["PROGRAMS": try programs(), "REPORT": report.path]
        // What is set for real services must not decide a test.
        for name in ProcessInfo.processInfo.environment.keys where name.hasPrefix("AWS_") {
            environment[name] = .some(nil)
        }
        let result = try await Python.test(file, in: folder, environment: environment)
        let lines = (try? String(contentsOf: report, encoding: .utf8))?.split(separator: "\n") ?? []
        let outcomes = try lines.map { try JSONDecoder().decode(Outcome.self, from: Data($0.utf8)) }
        // Tests that failed say so themselves; anything else, such as a file that can't be read, is said here.
        guard result.isSuccess || outcomes.contains(where: { $0.outcome == .failed }) else {
            throw PythonTestsError("pytest failed:\n\(result.output)")
        }
        return outcomes
    }

    /// The folder of the executables, which were built beside the tests.
    private static func programs() throws -> String {
        let tests = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folder = tests.deletingLastPathComponent()
        while folder.path != "/" {
            let file = folder.appending(path: "broker").path
            if FileManager.default.isExecutableFile(atPath: file) { return folder.path }
            folder = folder.deletingLastPathComponent()
        }
        throw PythonTestsError("There is no broker beside \(tests.path); run swift build first.")
    }
}

/// Why the tests can't be run.
struct PythonTestsError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
