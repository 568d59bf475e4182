import AsyncHTTPClient
import Foundation
import NIOCore

/// Sends webhooks to URLs that others have chosen: only to addresses that its ``AddressGuard`` lets through, without
/// following redirects, within a time limit, and reading no more of the answer than is kept.
public struct WebhookClient: Sendable {
    /// There was no answer. The description is a sentence for the owner of the URL.
    public struct NoAnswer: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    private let addresses: AddressGuard
    private let timeout: Duration
    private let userAgent: String

    /// How many bytes of an answer are read.
    public static let keptOfAnswer = 512

    /// - Parameter timeout: for all of it: looking up the host, connecting, sending, and the answer.
    public init(addresses: AddressGuard, timeout: Duration, userAgent: String) {
        self.addresses = addresses
        self.timeout = timeout
        self.userAgent = userAgent
    }

    /// Makes one attempt.
    /// - Parameters:
    ///   - number: which attempt it is; each takes the next of the host's addresses.
    ///   - headers: sent beside those of the specification.
    /// - Throws: ``NoAnswer``, ``AddressGuard/Refused`` or ``HostNames/Unknown``; `CancellationError`.
    public func post(
        _ message: WebhookMessage, to url: WebhookURL, attempt number: Int, secrets: [WebhookSecret],
        headers: [(name: String, value: String)] = []
    ) async throws -> WebhookAnswer {
        let answer = try await withThrowingTaskGroup(of: WebhookAnswer?.self) { group in
            group.addTask {
                let all = try await addresses.addresses(of: url)
                let signed = message.headers(signedAt: Date(), with: secrets)
                return try await send(message.body, signed + headers, to: url, at: all[number % all.count])
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let answer else { throw NoAnswer(description: "No answer within \(timeout.inWords).") }
        return answer
    }

    /// A client for this one request: it knows the host by the one address that was checked, while the `Host` header and
    /// the server's certificate are still about the name. Between attempts, which are rare for each host, no connection
    /// is kept.
    private func send(
        _ body: Data, _ headers: [(name: String, value: String)], to url: WebhookURL, at address: IPAddress
    ) async throws -> WebhookAnswer {
        var configuration = HTTPClient.Configuration()
        configuration.dnsOverride = [url.host: address.description]
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = TimeAmount(timeout)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.tracing.tracer = nil
        var request = HTTPClientRequest(url: url.description)
        request.method = .POST
        request.headers.add(name: "host", value: url.authority)
        request.headers.add(name: "user-agent", value: userAgent)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        return try await HTTPClient.withHTTPClient(configuration: configuration) { [request] http in
            do {
                let response = try await http.execute(request, timeout: TimeAmount(timeout))
                return try await WebhookAnswer(response)
            } catch {
                try Task.checkCancellation()
                throw NoAnswer(error, at: address)
            }
        }
    }
}

/// What a receiver answered.
public struct WebhookAnswer: Sendable, Equatable {
    public var status: Int
    /// How long it asks to be left alone.
    public var retryAfter: Duration?
    /// The first bytes of what it said.
    public var start: String

    public init(status: Int, retryAfter: Duration? = nil, start: String = "") {
        self.status = status
        self.retryAfter = retryAfter
        self.start = start
    }

    /// Only 2xx is; a redirect is not.
    public var isSuccess: Bool { (200..<300).contains(status) }

    init(_ response: HTTPClientResponse) async throws {
        status = Int(response.status.code)
        retryAfter = response.headers.first(name: "retry-after").flatMap { RetryAfter.parse($0, now: Date()) }
        var bytes: [UInt8] = []
        do {
            for try await part in response.body where bytes.count < WebhookClient.keptOfAnswer {
                bytes += part.readableBytesView.prefix(WebhookClient.keptOfAnswer - bytes.count)
                if bytes.count == WebhookClient.keptOfAnswer { break }
            }
        } catch {
            // The status has come, which is the answer; only cancellation means that nobody waits for it.
            try Task.checkCancellation()
        }
        // Databases end a text at its first zero.
        start = String(decoding: bytes, as: UTF8.self).replacing("\0", with: "\u{FFFD}")
    }
}

extension WebhookClient.NoAnswer {
    fileprivate init(_ error: any Error, at address: IPAddress) {
        description =
            switch error as? HTTPClientError {
            case .connectTimeout, .deadlineExceeded: "No answer from \(address) in time."
            case .remoteConnectionClosed: "\(address) closed the connection without an answer."
            default: "No connection to \(address): \(error)."
            }
    }
}

extension Duration {
    fileprivate var inWords: String { formatted(.units(allowed: [.seconds, .milliseconds], width: .wide)) }
}
