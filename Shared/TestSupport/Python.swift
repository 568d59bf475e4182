import Foundation
import Subprocess
import SystemPackage

/// Programs in Python, with what tests need from PyPI: they run in `.build/venv`, which `deploy/test` makes.
///
/// Children are started by Subprocess and never by Foundation's `Process`: that learns of a child's end from a socket which
/// any other child may have inherited, so the end of one can wait for the end of another.
public enum Python {
    /// What a program has come to.
    public struct Outcome: Sendable {
        /// Whether it exited with 0.
        public let isSuccess: Bool
        /// What it wrote, errors included.
        public let output: String
    }

    /// There is no virtual environment.
    public struct Missing: Error, CustomStringConvertible {
        let path: String
        public var description: String { "There is no \(path); deploy/test makes it." }
    }

    /// The interpreter's path.
    /// - Throws: ``Missing``.
    public static func interpreter() throws -> FilePath {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
        // Standardizing the path would resolve the link, and lose the virtual environment.
        let path = root.appending(path: ".build/venv/bin/python").path
        guard FileManager.default.isExecutableFile(atPath: path) else { throw Missing(path: path) }
        return FilePath(path)
    }

    /// Runs a program to its end.
    /// - Parameters:
    ///   - arguments: a script's path and its arguments, or as `python` takes them.
    ///   - folder: where it runs.
    ///   - environment: what is different from the tests' own; `nil` removes a variable.
    ///   - input: its standard input.
    public static func run(
        _ arguments: [String], in folder: URL? = nil, environment: [String: String?] = [:], input: String = ""
    ) async throws -> Outcome {
        let changes = environment.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) }
        let result = try await Subprocess.run(
            .path(try interpreter()), arguments: Arguments(arguments),
            environment: .inherit.updating(Dictionary(uniqueKeysWithValues: changes)),
            workingDirectory: folder.map { FilePath($0.path) },
            input: .string(input), output: .string(limit: 1 << 20), error: .combinedWithOutput)
        return Outcome(isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput)
    }

    /// Runs tests written in Python with pytest.
    /// - Parameters:
    ///   - file: the tests' name in `folder`.
    ///   - environment: as in ``run(_:in:environment:input:)``.
    public static func test(_ file: String, in folder: URL, environment: [String: String?]) async throws -> Outcome {
        try await run(
            ["-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-q", file], in: folder,
            environment: environment.merging(["PYTHONDONTWRITEBYTECODE": "1"]) { first, _ in first })
    }
}
