import Foundation
import Synchronization
import TestSupport

/// The mail server of `smtp_server.py`, as a process of its own.
final class MailServer: Sendable {
    /// Where it is, and whose certificates prove it.
    struct Address: Decodable {
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
    let mails = Probe<Received>()
    private let process = Process()
    private let input = Pipe()

    /// Runs `body` with a server of its own.
    static func run<Value>(
        _ arguments: [String] = [], _ body: (MailServer) async throws -> Value
    ) async throws -> Value {
        let server = try await MailServer(arguments)
        // It ends with its standard input, so it outlives neither this nor a crash.
        defer { try? server.input.fileHandleForWriting.close() }
        return try await body(server)
    }

    private init(_ arguments: [String]) async throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "smtp_server.py")
        process.executableURL = URL(
            fileURLWithPath: try PythonEnvironment.python(
                importing: "aiosmtpd", "trustme", from: "aiosmtpd>=1.4.6,<2", "trustme>=1.2,<2"))
        process.arguments = [script.path] + arguments
        process.standardInput = input
        let output = Pipe()
        process.standardOutput = output
        let lines = AsyncStream<Data> { continuation in
            let buffer = LineBuffer()
            output.fileHandleForReading.readabilityHandler = { handle in
                let data = handle.availableData
                for line in buffer.take(data) { continuation.yield(line) }
                if data.isEmpty {
                    handle.readabilityHandler = nil
                    continuation.finish()
                }
            }
        }
        try process.run()
        guard let first = await lines.first(where: { _ in true }) else { throw DidNotStart() }
        address = try JSONDecoder().decode(Address.self, from: first)
        output.fileHandleForReading.readabilityHandler = { [mails, buffer = LineBuffer()] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            for line in buffer.take(data) {
                if let mail = try? JSONDecoder().decode(Received.self, from: line) { mails.record(mail) }
            }
        }
    }

    private struct DidNotStart: Error {}
}

/// Cuts what arrives in pieces into lines.
private final class LineBuffer: Sendable {
    private let rest = Mutex(Data())

    func take(_ data: Data) -> [Data] {
        rest.withLock { rest in
            rest += data
            var lines: [Data] = []
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(Data(rest[..<end]))
                rest = Data(rest[rest.index(after: end)...])
            }
            return lines
        }
    }
}
