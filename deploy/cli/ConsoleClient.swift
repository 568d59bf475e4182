import ArgumentParser
import Foundation

/// What the console can be asked: it has the traces, and looks into queues and logs.
struct ConsoleClient: Sendable {
    private struct Problem: Decodable {
        let detail: String?
    }

    /// Looking into many queues takes a while.
    private static let patience = Duration.seconds(30)

    let url: String
    let http: HTTP

    static func with<Value: Sendable>(
        _ options: StackOptions, _ body: (ConsoleClient) async throws -> Value
    ) async throws -> Value {
        try await ShopClient.with(options) { shop in
            try await body(ConsoleClient(url: shop.addresses.url(of: ServiceTable.console), http: shop.http))
        }
    }

    /// An answer as it came, for `--json`, and as what it means.
    struct Answer<Value: Sendable>: Sendable {
        let value: Value
        let text: String
    }

    func get<Value: Decodable & Sendable>(
        _ path: String, as type: Value.Type = Value.self
    ) async throws -> Answer<Value> {
        try await reaching { try Self.read(try await http.get(url + path, timeout: Self.patience)) }
    }

    func post<Value: Decodable & Sendable>(
        _ path: String, _ body: some Encodable, as type: Value.Type = Value.self
    ) async throws -> Answer<Value> {
        let json = try JSONEncoder().encode(body)
        return try await reaching {
            try Self.read(try await http.post(url + path, json: json, headers: [:], timeout: Self.patience))
        }
    }

    private func reaching<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch is HTTP.Unreachable {
            throw ShopError(
                "The console does not answer at \(url); deploy/up starts it unless --services leaves it out.")
        }
    }

    private static func read<Value: Decodable>(_ answer: HTTP.Answer) throws -> Answer<Value> {
        guard answer.status == 200 else {
            let problem = try? JSONDecoder().decode(Problem.self, from: answer.body)
            throw Refused(status: answer.status, text: problem?.detail ?? "The console gave no reason.")
        }
        do {
            return Answer(
                value: try JSONDecoder().decode(Value.self, from: answer.body),
                text: String(decoding: answer.body, as: UTF8.self))
        } catch {
            throw ShopError("The console's answer was not understood: \(error).")
        }
    }
}

extension ExitCode {
    /// What was asked for isn't there.
    static let nothingFound = ExitCode(2)
    /// The shop runs, but not all is well.
    static let notWell = ExitCode(3)
}
