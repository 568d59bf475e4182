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

    public init() {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(2)
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
