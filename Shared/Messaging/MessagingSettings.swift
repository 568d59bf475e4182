import AsyncHTTPClient
import Foundation
import NIOCore
import ServiceLifecycle

/// What a service is told about its broker, read from the environment variables that the AWS tools use too.
public struct MessagingSettings: Sendable {
    /// `AWS_ENDPOINT_URL`: the base URL of SNS and SQS.
    public var endpoint: String
    /// `AWS_REGION`.
    public var region: String
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    public var credentials: AWSCredentials
    /// `MESSAGE_VISIBILITY_TIMEOUT_SECONDS` and `MESSAGE_RETRY_BASE_MILLISECONDS`.
    public var consumer: ConsumerSettings

    /// The variables for a service's `--help`: what each is for, and what counts when it isn't set.
    public static let variables: [(name: String, about: String, default: String)] = [
        ("AWS_ENDPOINT_URL", "the broker", "http://127.0.0.1:4566"),
        ("AWS_REGION", "the broker's region", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "who it is to the broker", "local"),
        ("AWS_SECRET_ACCESS_KEY", "and its secret", "local"),
        ("MESSAGE_VISIBILITY_TIMEOUT_SECONDS", "how long a message is hidden while it is handled", "30"),
        ("MESSAGE_RETRY_BASE_MILLISECONDS", "the first retry of a message comes at most this much later", "1000"),
    ]

    /// - Parameters:
    ///   - string: reads a text by its variable, or gives its default.
    ///   - int: the same for a whole number within a range.
    ///   - url: the same for an HTTP URL.
    public init(
        string: (_ variable: String, _ default: String?) throws -> String,
        int: (_ variable: String, _ default: Int?, _ range: ClosedRange<Int>) throws -> Int,
        url: (_ variable: String, _ default: String?) throws -> URL
    ) throws {
        endpoint = try url("AWS_ENDPOINT_URL", "http://127.0.0.1:4566").absoluteString
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        region = try string("AWS_REGION", "us-east-1")
        credentials = AWSCredentials(
            accessKeyID: try string("AWS_ACCESS_KEY_ID", "local"),
            secretAccessKey: try string("AWS_SECRET_ACCESS_KEY", "local"))
        consumer = ConsumerSettings(
            visibilityTimeout: .seconds(try int("MESSAGE_VISIBILITY_TIMEOUT_SECONDS", 30, 1...43_200)),
            retry: RetryPolicy(base: .milliseconds(try int("MESSAGE_RETRY_BASE_MILLISECONDS", 1000, 1...60_000))))
    }
}

/// An HTTP client that is shut down with its service. List it before what uses it.
public struct HTTPClientService: Service {
    public let client: HTTPClient

    /// - Parameter waitsForConnection: whether a refused connection is tried again until the timeout, or is an answer.
    public init(waitsForConnection: Bool = true) {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(2)
        configuration.connectionPool.retryConnectionEstablishment = waitsForConnection
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        // A long poll holds a connection, and each handler may be telling the broker of its end.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        // Polls would drown the spans that matter; those who call have spans of their own.
        configuration.tracing.tracer = nil
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    public func run() async throws {
        try? await gracefulShutdown()
        try await client.shutdown()
    }
}
