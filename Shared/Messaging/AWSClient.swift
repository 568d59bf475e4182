import AWSSignature
import AsyncHTTPClient
import Foundation
import NIOCore

/// An answer of AWS, or of the broker in its place, that says no.
public struct AWSError: Error, Equatable, CustomStringConvertible {
    /// The HTTP status.
    public let status: Int
    /// The error code that SDKs show, such as `AWS.SimpleQueueService.NonExistentQueue`.
    public let code: String
    public let message: String

    public var description: String { "\(code) (\(status)): \(message)" }
}

/// Sends signed requests to SNS, SQS and STS.
struct AWSClient: Sendable {
    let http: HTTPClient
    let access: AWSAccess
    private let signingKeys = SigningKeyCache()

    init(http: HTTPClient, access: AWSAccess) {
        self.http = http
        self.access = access
    }

    private static let largestAnswerBytes = 16 * 1024 * 1024

    /// Calls an SQS operation (AWS JSON 1.0).
    func sqs<Output: Decodable>(
        _ operation: String, _ input: some Encodable & Sendable, timeout: Duration = .seconds(10),
        returning output: Output.Type = Output.self
    ) async throws -> Output {
        let answer = try await send(
            service: "sqs",
            headers: [
                "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.\(operation)",
            ],
            body: try JSONEncoder().encode(input), timeout: timeout)
        guard answer.status == 200 else {
            let problem = try? JSONDecoder().decode(JSONProblem.self, from: answer.body)
            let queryCode = answer.queryError?.split(separator: ";").first.map(String.init)
            let type = problem?.type.split(separator: "#").last.map(String.init)
            throw AWSError(
                status: answer.status, code: queryCode ?? type ?? "Unknown",
                message: problem?.message ?? String(decoding: answer.body.prefix(200), as: UTF8.self))
        }
        // Operations without a result answer with an empty body.
        return try JSONDecoder().decode(Output.self, from: answer.body.isEmpty ? Data("{}".utf8) : answer.body)
    }

    /// Calls an SNS operation.
    func sns(_ action: String, _ parameters: [(String, String)]) async throws -> XMLElement {
        try await query("sns", version: "2010-03-31", action, parameters)
    }

    /// The account that the credentials belong to; whoever has any may ask.
    func account() async throws -> String {
        try await query("sts", version: "2011-06-15", "GetCallerIdentity", []).text(of: "Account") ?? ""
    }

    /// Calls an operation of a service with the Query protocol.
    private func query(
        _ service: String, version: String, _ action: String, _ parameters: [(String, String)]
    ) async throws -> XMLElement {
        var form: [UInt8] = []
        for (name, value) in [("Action", action), ("Version", version)] + parameters {
            if !form.isEmpty { form.append(UInt8(ascii: "&")) }
            PercentEncoding.append(name.utf8, to: &form)
            form.append(UInt8(ascii: "="))
            PercentEncoding.append(value.utf8, to: &form)
        }
        let answer = try await send(
            service: service, headers: ["content-type": "application/x-www-form-urlencoded; charset=utf-8"],
            body: Data(form), timeout: .seconds(10))
        let xml = XMLElement(parsing: String(decoding: answer.body, as: UTF8.self))
        guard answer.status == 200, let xml else {
            let error = xml?.first("Error")
            throw AWSError(
                status: answer.status, code: error?.text(of: "Code") ?? "Unknown",
                message: error?.text(of: "Message") ?? String(decoding: answer.body.prefix(200), as: UTF8.self))
        }
        return xml
    }

    private struct JSONProblem: Decodable {
        let type: String
        let message: String?

        private enum CodingKeys: String, CodingKey {
            case type = "__type"
            case message
        }
    }

    private struct Answer {
        let status: Int
        let queryError: String?
        let body: Data
    }

    private func send(
        service: String, headers: [String: String], body: Data, timeout: Duration
    ) async throws -> Answer {
        let endpoint = access.url(of: service)
        var headers = headers
        headers["host"] = Self.authority(of: endpoint)
        let credentials = try await access.credentials.credentials(over: http)
        let signer = SigV4(credentials: credentials, region: access.region, service: service, keys: signingKeys)
        let signature = signer.sign(headers: headers, body: body, at: Date())
        var request = HTTPClientRequest(url: endpoint + "/")
        request.method = .POST
        for (name, value) in headers.merging(signature, uniquingKeysWith: { $1 }) {
            request.headers.add(name: name, value: value)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await http.execute(request, timeout: TimeAmount(timeout))
        let bytes = try await response.body.collect(upTo: Self.largestAnswerBytes)
        return Answer(
            status: Int(response.status.code),
            queryError: response.headers.first(name: "x-amzn-query-error"), body: Data(bytes.readableBytesView))
    }

    private static func authority(of url: String) -> String {
        let rest = url.range(of: "://").map { url[$0.upperBound...] } ?? url[...]
        return String(rest.prefix { $0 != "/" })
    }
}
