import Foundation
import Subprocess
import TestSupport

/// The mail server of `smtp_server.py`, as a process of its own.
struct MailServer {
    /// Where it is, and whose certificates prove it.
    struct Address: Decodable, Sendable {
        let port: Int
        let certificateAuthorities: String
    }

    /// A mail that it has taken, with what Python's parser makes of it.
    struct Received: Decodable, Sendable {
        let sender: String
        let recipients: [String]
        let isEncrypted: Bool
        let isLoggedIn: Bool
        let content: Data
        let subject: String
        let text: String
        let headers: [String]
        let messageID: String
        let defects: [String]
    }

    let address: Address
    /// Each mail that has arrived.
    let mails: Probe<Received>

    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "smtp_server.py")

    /// Runs `body` with a server of its own. It ends with its standard input, so it outlives neither this nor a crash.
    static func run<Value: Sendable>(
        _ arguments: [String] = [], _ body: (MailServer) async throws -> Value
    ) async throws -> Value {
        try await Subprocess.run(
            .path(try Python.interpreter()), arguments: Arguments([script.path] + arguments),
            input: .inputWriter, output: .sequence, error: .discarded
        ) { execution in
            let (output, addresses, mails) = (execution.standardOutput, Probe<Address?>(), Probe<Received>())
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { addresses.record(nil) }
                    for try await line in output.strings() {
                        let line = Data(line.utf8)
                        if addresses.values.isEmpty {
                            addresses.record(try JSONDecoder().decode(Address.self, from: line))
                        } else {
                            mails.record(try JSONDecoder().decode(Received.self, from: line))
                        }
                    }
                }
                guard case .some(.some(let address)) = await addresses.first(where: { _ in true }) else {
                    throw DidNotStart()
                }
                let value = try await body(MailServer(address: address, mails: mails))
                try await execution.standardInputWriter.finish()
                try await group.waitForAll()
                return value
            }
        }.closureResult
    }

    private struct DidNotStart: Error {}
}
