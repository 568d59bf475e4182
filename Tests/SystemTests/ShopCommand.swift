import Foundation
import Subprocess
import SystemPackage

/// The command line, run as a user does.
struct ShopCommand {
    struct Ending: Sendable {
        let status: TerminationStatus
        let output: String
        let complaints: String

        func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            try JSONDecoder().decode(type, from: Data(output.utf8))
        }
    }

    /// Runs `shop` against a stack, or against nothing at all where the stack's ports would be.
    static func run(_ arguments: String..., portOffset: Int, folder: URL) async throws -> Ending {
        let options = ["--port-offset", "\(portOffset)", "--data", folder.path]
        let result = try await Subprocess.run(
            .path(FilePath(Program.executable(named: "shop"))), arguments: Arguments(arguments + options),
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        return Ending(
            status: result.terminationStatus, output: result.standardOutput,
            complaints: result.standardError)
    }
}
