import AsyncHTTPClient
import Foundation
import NIOCore
import ServiceLifecycle

/// What a service is told about its broker, read from the environment variables that the AWS tools use too.
public struct MessagingSettings: Sendable {
    /// `AWS_ENDPOINT_URL`, `AWS_REGION`, and the credentials.
    public let access: AWSAccess
    /// `MESSAGE_CHANNELS`.
    public let channels: ChannelSetup
    /// `MESSAGE_VISIBILITY_TIMEOUT_SECONDS` and `MESSAGE_RETRY_BASE_MILLISECONDS`.
    public var consumer: ConsumerSettings

    /// The variables for a service's `--help`: what each is for, and what counts when it isn't set.
    public static let variables: [(name: String, about: String, default: String)] = [
        ("AWS_ENDPOINT_URL", "the broker, such as http://127.0.0.1:4566", "Amazon SNS and SQS"),
        ("AWS_REGION", "the broker's region", "us-east-1 with AWS_ENDPOINT_URL"),
        ("AWS_ACCESS_KEY_ID", "who it is to the broker", "local; to Amazon, the container's or machine's role"),
        ("AWS_SECRET_ACCESS_KEY", "and its secret", "as above"),
        ("AWS_SESSION_TOKEN", "goes with keys that are lent", ""),
        (
            "MESSAGE_CHANNELS", "make: topics and queues that are missing are made; find: all are there",
            "make with AWS_ENDPOINT_URL, else find"
        ),
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
        var endpoint: String?
        if try !string("AWS_ENDPOINT_URL", "").isEmpty {
            var url = try url("AWS_ENDPOINT_URL", nil).absoluteString
            while url.hasSuffix("/") { url.removeLast() }
            endpoint = url
        }
        let region = try string("AWS_REGION", endpoint == nil ? "" : "us-east-1")
        if region.isEmpty { throw Missing.broker }
        let local = endpoint.map { _ in AWSCredentials(accessKeyID: "local", secretAccessKey: "local") }
        access = AWSAccess(
            endpoint: endpoint, region: region,
            credentials: try AWSCredentialSource(environment: { try string($0, "") }, local: local))
        let retry = RetryPolicy(base: .milliseconds(try int("MESSAGE_RETRY_BASE_MILLISECONDS", 1000, 1...60_000)))
        consumer = ConsumerSettings(
            visibilityTimeout: .seconds(try int("MESSAGE_VISIBILITY_TIMEOUT_SECONDS", 30, 1...43_200)), retry: retry)
        switch try string("MESSAGE_CHANNELS", endpoint == nil ? "find" : "make") {
        case "make": channels = .make(maxReceiveCount: retry.maxReceiveCount)
        case "find": channels = .find
        case let other: throw Missing.channels(other)
        }
    }

    /// What is missing or wrong, in one sentence.
    private enum Missing: Error, CustomStringConvertible {
        case broker
        case channels(String)

        var description: String {
            switch self {
            case .broker:
                "Where is the broker? Set AWS_ENDPOINT_URL, as to http://127.0.0.1:4566 for the shop's own, or for "
                    + "Amazon SNS and SQS AWS_REGION."
            case .channels(let text): "MESSAGE_CHANNELS must be make or find, not '\(text)'."
            }
        }
    }
}

/// Whether a process makes the topics, queues and subscriptions that it needs.
public enum ChannelSetup: Equatable, Sendable {
    /// It does, so that a broker needs no preparation.
    /// - Parameter maxReceiveCount: deliveries of a message before the broker itself moves it to the dead letters.
    case make(maxReceiveCount: Int)
    /// They are there, and the process may do no more than use them, as where `deploy/aws/messaging.yaml` made them. Only the
    /// queue for replies to this very process is still made.
    case find
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
