import AsyncHTTPClient
import Contracts
public import Foundation
import NIOCore
import Synchronization

/// A key pair that requests to AWS, or to the broker in its place, are signed with.
public struct AWSCredentials: Equatable, Sendable {
    public let accessKeyID: String
    public let secretAccessKey: String
    /// Goes with keys that were lent for a while.
    public let sessionToken: String?
    /// Until when they are valid; `nil` for ever.
    public let expiration: Date?

    public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Date? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}

/// Where credentials come from, in the order in which the AWS SDKs look ("Standardized credential providers", AWS SDKs
/// and Tools Reference Guide).
public enum AWSCredentialSource: Equatable, Sendable {
    /// They were given, and stay.
    case fixed(AWSCredentials)
    /// A container's role: Amazon ECS, EKS Pod Identity.
    /// - Parameters:
    ///   - token: goes into the header `Authorization`.
    ///   - tokenFile: a file that holds the token of the moment.
    case container(url: String, token: String?, tokenFile: String?)
    /// The role of the EC2 instance, by its metadata service (IMDSv2).
    case instance(endpoint: String)

    /// Chooses by the environment.
    /// - Parameters:
    ///   - value: a variable's value; empty when it isn't set.
    ///   - local: what counts instead of a role, where the endpoint is not Amazon's.
    public init(environment value: (_ variable: String) throws -> String, local: AWSCredentials?) throws {
        func optional(_ variable: String) throws -> String? {
            let text = try value(variable)
            return text.isEmpty ? nil : text
        }
        let (id, secret) = (try optional("AWS_ACCESS_KEY_ID"), try optional("AWS_SECRET_ACCESS_KEY"))
        if let id, let secret {
            let credentials = AWSCredentials(
                accessKeyID: id, secretAccessKey: secret, sessionToken: try optional("AWS_SESSION_TOKEN"))
            self = .fixed(credentials)
        } else if id != nil || secret != nil {
            throw AWSCredentialsError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together.")
        } else if let local {
            self = .fixed(local)
        } else if let path = try optional("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            self = .container(url: "http://169.254.170.2\(path)", token: nil, tokenFile: nil)
        } else if let url = try optional("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            guard Self.mayLend(url) else {
                throw AWSCredentialsError(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL, or one of this machine, ECS or EKS.")
            }
            self = .container(
                url: url, token: try optional("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
                tokenFile: try optional("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
        } else if try value("AWS_EC2_METADATA_DISABLED").lowercased() == "true" {
            throw AWSCredentialsError(
                "There are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this container "
                    + "or machine a role.")
        } else {
            self = .instance(
                endpoint: try optional("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254")
        }
    }

    /// Keys travel unencrypted only where no other machine sees them.
    private static func mayLend(_ url: String) -> Bool {
        guard let components = URLComponents(string: url), let host = components.host else { return false }
        let near = ["127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
        return components.scheme == "https" || components.scheme == "http" && near.contains(host)
    }
}

/// Why there are no credentials, in one sentence.
public struct AWSCredentialsError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Has the credentials of a source, and gets new ones before they expire.
public final class AWSCredentialProvider: Sendable {
    private let source: AWSCredentialSource
    private let patience: Duration
    private let current = Mutex<AWSCredentials?>(nil)

    /// New ones are asked for so long before the old ones end.
    private static let margin: TimeInterval = 300

    /// Has none yet.
    /// - Parameter patience: how long who lends them may take for an answer.
    public init(_ source: AWSCredentialSource, patience: Duration = .seconds(5)) {
        self.source = source
        self.patience = patience
    }

    /// Those that are valid now. When several ask at the moment of a change, each may get new ones, which does no harm.
    func credentials(over http: HTTPClient, now: Date = Date()) async throws -> AWSCredentials {
        if case .fixed(let credentials) = source { return credentials }
        let known = current.withLock { $0 }
        if let known, isValid(known, at: now + Self.margin) { return known }
        do {
            let new = try await lent(over: http)
            current.withLock { $0 = new }
            return new
        } catch {
            // They are good for some minutes more; the next request asks again.
            if let known, isValid(known, at: now) { return known }
            throw error
        }
    }

    private func isValid(_ credentials: AWSCredentials, at time: Date) -> Bool {
        credentials.expiration.map { $0 > time } ?? true
    }

    private func lent(over http: HTTPClient) async throws -> AWSCredentials {
        switch source {
        case .fixed(let credentials): return credentials
        case .container(let url, let token, let file):
            let token = try file.map { try String(contentsOfFile: $0, encoding: .utf8) } ?? token
            let headers = token.map { [("authorization", $0.trimmingCharacters(in: .whitespacesAndNewlines))] }
            return try read(try await ask(http, HTTPClientRequest(url: url), headers ?? []), from: url)
        case .instance(let endpoint):
            let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")]
            var question = HTTPClientRequest(url: endpoint + "/latest/api/token")
            question.method = .PUT
            let token = try await ask(http, question, lifetime)
            let headers = [("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))]
            let roles = endpoint + "/latest/meta-data/iam/security-credentials/"
            let names = String(decoding: try await ask(http, HTTPClientRequest(url: roles), headers), as: UTF8.self)
            let role = names.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            return try read(try await ask(http, HTTPClientRequest(url: roles + role), headers), from: roles + role)
        }
    }

    private func ask(
        _ http: HTTPClient, _ question: HTTPClientRequest, _ headers: [(String, String)]
    ) async throws -> Data {
        var request = question
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        do {
            let response = try await http.execute(request, timeout: TimeAmount(patience))
            let body = Data((try await response.body.collect(upTo: 1 << 16)).readableBytesView)
            if response.status == .ok { return body }
            throw AWSCredentialsError("it answered \(response.status.code)")
        } catch {
            throw AWSCredentialsError("There are no AWS credentials: \(request.url) was asked for them, and \(error).")
        }
    }

    /// With the names that it has on the wire.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct Lent: Decodable {
        let AccessKeyId: String
        let SecretAccessKey: String
        let Token: String
        let Expiration: String
    }

    private func read(_ body: Data, from url: String) throws -> AWSCredentials {
        guard let lent = try? JSONDecoder().decode(Lent.self, from: body),
            let expiration = RFC3339.date(from: lent.Expiration)
        else { throw AWSCredentialsError("There are no AWS credentials: what \(url) answered can't be read.") }
        return AWSCredentials(
            accessKeyID: lent.AccessKeyId, secretAccessKey: lent.SecretAccessKey, sessionToken: lent.Token,
            expiration: expiration)
    }
}
