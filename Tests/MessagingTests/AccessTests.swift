import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Messaging

@Suite("Where SNS and SQS are, and who we are to them", .timeLimit(.minutes(1))) struct AccessTests {
    private func settings(_ environment: [String: String]) throws -> MessagingSettings {
        try MessagingSettings(
            string: { environment[$0] ?? $1 ?? "" }, int: { variable, value, _ in value ?? 0 },
            url: { variable, _ in try #require(URL(string: environment[variable] ?? "")) })
    }

    @Test("With a URL it is the broker there, which needs no preparation") func broker() throws {
        let settings = try settings(["AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"])
        #expect(settings.access.url(of: "sqs") == "http://127.0.0.1:4566")
        #expect(settings.access.url(of: "sns") == "http://127.0.0.1:4566")
        #expect(settings.access.region == "us-east-1")
        #expect(settings.channels == .make(maxReceiveCount: settings.consumer.retry.maxReceiveCount))
    }

    @Test("With a region alone it is Amazon's, where all has been prepared") func amazon() throws {
        let settings = try settings(["AWS_REGION": "eu-central-1"])
        #expect(settings.access.url(of: "sqs") == "https://sqs.eu-central-1.amazonaws.com")
        #expect(settings.access.url(of: "sns") == "https://sns.eu-central-1.amazonaws.com")
        #expect(settings.channels == .find)
        let china = try self.settings(["AWS_REGION": "cn-north-1", "MESSAGE_CHANNELS": "make"])
        #expect(china.access.url(of: "sts") == "https://sts.cn-north-1.amazonaws.com.cn")
        #expect(china.access.partition == "aws-cn" && china.channels != .find)
    }

    @Test(
        "What is missing is said in a sentence",
        arguments: [
            ([:], "Where is the broker? Set AWS_ENDPOINT_URL"),
            (["AWS_REGION": "x", "MESSAGE_CHANNELS": "guess"], "MESSAGE_CHANNELS must be make or find, not 'guess'."),
            (["AWS_REGION": "x", "AWS_ACCESS_KEY_ID": "a"], "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set"),
            (["AWS_REGION": "x", "AWS_EC2_METADATA_DISABLED": "true"], "There are no AWS credentials: set AWS_ACCESS"),
            (
                ["AWS_REGION": "x", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/keys"],
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL"
            ),
        ] as [([String: String], String)])
    func missing(environment: [String: String], sentence: String) {
        let error = #expect(throws: (any Error).self) { try settings(environment) }
        #expect("\(error, default: "")".hasPrefix(sentence))
    }

    private func source(_ environment: [String: String], local: AWSCredentials? = nil) throws -> AWSCredentialSource {
        try AWSCredentialSource(environment: { environment[$0] ?? "" }, local: local)
    }

    @Test("Keys that are given come first, then those for a broker of one's own, then roles") func order() throws {
        let local = AWSCredentials(accessKeyID: "local", secretAccessKey: "local")
        let keys = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"]
        let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/role"]
        let given = AWSCredentials(accessKeyID: "id", secretAccessKey: "secret", sessionToken: "token")
        #expect(try source(keys.merging(container) { $1 }, local: local) == .fixed(given))
        #expect(try source(container, local: local) == .fixed(local))
        #expect(try source(container) == .container(url: "http://169.254.170.2/role", token: nil, tokenFile: nil))
        #expect(try source([:]) == .instance(endpoint: "http://169.254.169.254"))
    }

    @Test("A machine's role is asked for with a token (IMDSv2), and again five minutes before its keys end")
    func instance() async throws {
        try await RoleServer.run { server in
            let provider = AWSCredentialProvider(.instance(endpoint: server.url), patience: .seconds(50))
            let start = Date(timeIntervalSince1970: 1_800_000_000)
            server.lend(until: start + 3600)
            let first = try await provider.credentials(over: server.client, now: start)
            #expect(first.accessKeyID == "key-1" && first.sessionToken == "session-1")
            #expect(try await provider.credentials(over: server.client, now: start + 3299) == first)
            server.lend(until: start + 7200)
            #expect(try await provider.credentials(over: server.client, now: start + 3301).accessKeyID == "key-2")
        }
    }

    @Test("When new keys can't be had, the old ones are good until they end") func outage() async throws {
        try await RoleServer.run { server in
            let provider = AWSCredentialProvider(.instance(endpoint: server.url), patience: .seconds(50))
            let start = Date(timeIntervalSince1970: 1_800_000_000)
            server.lend(until: start + 3600)
            let first = try await provider.credentials(over: server.client, now: start)
            server.lendNothing()
            #expect(try await provider.credentials(over: server.client, now: start + 3500) == first)
            let error = await #expect(throws: AWSCredentialsError.self) {
                try await provider.credentials(over: server.client, now: start + 3601)
            }
            #expect("\(error, default: "")".hasPrefix("There are no AWS credentials: \(server.url)/latest/"))
        }
    }

    @Test("A container's role is asked for with the token that its file holds at the moment") func container()
        async throws
    {
        try await RoleServer.run { server in
            try await withTemporaryFolder { folder in
                let file = folder.appending(path: "token")
                try Data("token-of-the-container\n".utf8).write(to: file)
                server.lend(until: .distantFuture)
                let source = AWSCredentialSource.container(
                    url: server.url + "/container", token: nil, tokenFile: file.path)
                let lent = try await AWSCredentialProvider(source, patience: .seconds(50))
                    .credentials(over: server.client)
                #expect(lent.accessKeyID == "key-1")
            }
        }
    }

    @Test("Keys that are lent sign with their token") func sessionToken() {
        let credentials = AWSCredentials(accessKeyID: "id", secretAccessKey: "secret", sessionToken: "token")
        let signed = SigV4(credentials: credentials, region: "us-east-1", service: "sqs").sign(
            headers: ["host": "example.com"], body: Data(), at: Date(timeIntervalSince1970: 0))
        #expect(signed["x-amz-security-token"] == "token")
        #expect(signed["authorization"]?.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,") == true)
    }
}

/// Lends keys as the metadata service of an EC2 instance and that of a container do.
private final class RoleServer: Sendable {
    let url: String
    let client: HTTPClient
    private let lender: Lender

    private final class Lender: Sendable {
        let state = Mutex((number: 0, expiration: Date?.none))

        /// The keys of the moment, as JSON.
        func answer() throws -> String {
            let (number, expiration) = state.withLock { $0 }
            guard let expiration else { throw HTTPError(.serviceUnavailable) }
            let end = min(expiration, Date(timeIntervalSince1970: 4_000_000_000)).formatted(.iso8601)
            return
                #"{"Code":"Success","AccessKeyId":"key-\#(number)","SecretAccessKey":"s","Token":"session-\#(number)","#
                + #""Expiration":"\#(end)"}"#
        }
    }

    private init(url: String, client: HTTPClient, lender: Lender) {
        (self.url, self.client, self.lender) = (url, client, lender)
    }

    func lend(until expiration: Date) {
        lender.state.withLock { $0 = (number: $0.number + 1, expiration: expiration) }
    }

    func lendNothing() { lender.state.withLock { $0.expiration = nil } }

    static func run(_ body: (RoleServer) async throws -> Void) async throws {
        let lender = Lender()
        let router = Router()
        @Sendable func header(_ name: String, of request: Request) -> String? {
            HTTPField.Name(name).flatMap { request.headers[$0] }
        }
        @Sendable func check(_ request: Request) throws {
            let token = header("x-aws-ec2-metadata-token", of: request)
            guard token == "metadata-token" else { throw HTTPError(.unauthorized) }
        }
        router.put("/latest/api/token") { request, _ in
            let lifetime = header("x-aws-ec2-metadata-token-ttl-seconds", of: request)
            guard lifetime == "21600" else { throw HTTPError(.badRequest) }
            return "metadata-token"
        }
        router.get("/latest/meta-data/iam/security-credentials/") { request, _ in
            try check(request)
            return "role\n"
        }
        router.get("/latest/meta-data/iam/security-credentials/role") { request, _ in
            try check(request)
            return try lender.answer()
        }
        router.get("/container") { request, _ in
            guard request.headers[.authorization] == "token-of-the-container" else { throw HTTPError(.unauthorized) }
            return try lender.answer()
        }
        let running = Probe<Int>()
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { running.record($0.localAddress?.port ?? 0) }, logger: .silent)
        let client = HTTPClientService(waitsForConnection: false)
        try await withRunning(application) { _ in
            try await withRunning(client) { _ in
                let port = await running.first { _ in true } ?? 0
                try await body(RoleServer(url: "http://127.0.0.1:\(port)", client: client.client, lender: lender))
            }
        }
    }
}
