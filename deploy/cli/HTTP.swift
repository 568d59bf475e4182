import AsyncHTTPClient
import Foundation
import NIOCore

/// HTTP in the small form that this program needs: short JSON answers.
struct HTTP: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: Data
        let headers: [String: String]

        func header(_ name: String) -> String? {
            headers[name.lowercased()]
        }
    }

    /// Nobody answered: nothing listens there, the connection broke, or the time was over.
    struct Unreachable: Error, CustomStringConvertible {
        let url: String
        let reason: String

        var description: String { "\(url) does not answer (\(reason))." }
    }

    private static let bodyLimit = 16 << 20

    private let client: HTTPClient

    /// This program waits far more than it computes; a loop for each core would only cost memory.
    private static let oneLoop: Void = { NIOSingletons.groupLoopCountSuggestion = 1 }()

    /// Runs the body with a client that is closed afterwards.
    ///
    /// - Parameter connections: how many it opens to one server at most; other requests wait for one of them.
    static func with<Value: Sendable>(
        connections: Int = 256, _ body: (HTTP) async throws -> Value
    ) async throws -> Value {
        Self.oneLoop
        var configuration = HTTPClient.Configuration()
        // A refused connection is an answer here, not something to wait for.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let value = try await body(HTTP(client: client))
            try await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    func get(_ url: String, headers: [String: String] = [:], timeout: Duration) async throws -> Answer {
        try await send(HTTPClientRequest(url: url), headers: headers, timeout: timeout)
    }

    func post(_ url: String, json: Data, headers: [String: String], timeout: Duration) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: json))
        return try await send(request, headers: headers, timeout: timeout)
    }

    func delete(_ url: String, timeout: Duration) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .DELETE
        return try await send(request, headers: [:], timeout: timeout)
    }

    private func send(
        _ request: HTTPClientRequest, headers: [String: String], timeout: Duration
    ) async throws -> Answer {
        var request = request
        for (name, value) in headers {
            request.headers.add(name: name, value: value)
        }
        do {
            let response = try await client.execute(request, timeout: TimeAmount(timeout))
            let body = try await response.body.collect(upTo: Self.bodyLimit)
            let headers = response.headers.map { ($0.name.lowercased(), $0.value) }
            return Answer(
                status: Int(response.status.code), body: Data(body.readableBytesView),
                headers: Dictionary(headers) { first, _ in first })
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            try Task.checkCancellation()
            throw Unreachable(url: request.url, reason: Self.reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? HTTPClientError {
        case .deadlineExceeded, .connectTimeout: "no answer in time"
        case .remoteConnectionClosed: "the connection was closed"
        default: "the connection was refused or broke"
        }
    }
}
