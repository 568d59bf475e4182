import Foundation
import Synchronization

/// The Python of `.build/venv`, with the packages that tests need from PyPI. `deploy/test` makes it; so does the first
/// test that finds a package missing.
public enum PythonEnvironment {
    /// A command that had to succeed and didn't.
    public struct Failed: Error, CustomStringConvertible {
        let command: String
        public var description: String { "This failed; try it by hand: \(command)" }
    }

    /// One test at a time makes it.
    private static let lock = Mutex(())

    /// The interpreter's path.
    /// - Parameters:
    ///   - modules: what is imported from the packages.
    ///   - packages: with their versions, as pip takes them.
    public static func python(importing modules: String..., from packages: String...) throws -> String {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let root = here.deletingLastPathComponent().deletingLastPathComponent()
        let venv = root.appending(path: ".build/venv").path
        let python = "\(venv)/bin/python"
        try lock.withLock { _ in
            if run([python, "-c", "import " + modules.joined(separator: ", ")]) { return }
            if !run([python, "--version"]) { try require(["/usr/bin/env", "python3", "-m", "venv", venv]) }
            try require([python, "-m", "pip", "install", "--quiet"] + packages)
        }
        return python
    }

    private static func require(_ command: [String]) throws {
        guard run(command) else { throw Failed(command: command.joined(separator: " ")) }
    }

    private static func run(_ command: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
