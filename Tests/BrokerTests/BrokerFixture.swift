import Foundation
import Hummingbird
import HummingbirdTesting
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Broker

/// A clock that stands still until a test moves it.
final class ManualClock: BrokerClock {
    private struct State {
        var now: Milliseconds = 1_700_000_000_000
        var calls: [(at: Milliseconds, action: @Sendable () -> Void)] = []
    }

    private let state = Mutex(State())
    /// The times of the calls that were ordered.
    let ordered = Probe<Milliseconds>()

    func now() -> Milliseconds { state.withLock(\.now) }

    @discardableResult
    func call(at time: Milliseconds, _ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        ordered.record(time)
        let isDue = state.withLock { state in
            if time > state.now { state.calls.append((time, action)) }
            return time <= state.now
        }
        if isDue { action() }
        // One that was taken back finds nobody, and does no harm.
        return {}
    }

    /// Moves on and makes the calls that are due, those that they ask for included.
    func advance(seconds: Int) {
        state.withLock { $0.now += Milliseconds(seconds) * 1000 }
        while true {
            let due = state.withLock { state in
                let due = state.calls.filter { $0.at <= state.now }
                state.calls.removeAll { $0.at <= state.now }
                return due
            }
            if due.isEmpty { return }
            for call in due.sorted(by: { $0.at < $1.at }) { call.action() }
        }
    }
}

/// A folder that is gone after the test.
final class TemporaryFolder: Sendable {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("broker-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The broker as its `build` function puts it together, on a real socket and a real file.
struct BrokerFixture {
    let client: any TestClientProtocol

    static func run(
        folder: TemporaryFolder, clock: any BrokerClock = SystemClock(),
        _ body: @escaping @Sendable (BrokerFixture) async throws -> Void
    ) async throws {
        let configuration = try ServiceConfiguration(
            service: "broker", defaultPort: 4566, environment: ["DATABASE_URL": "sqlite:\(folder.path)/broker.sqlite"])
        let assembly = try await build(Chassis(configuration: configuration), clock: clock)
        var application = assembly.application()
        for service in assembly.services { application.addServices(service) }
        try await application.test(.ahc(.http)) { client in try await body(BrokerFixture(client: client)) }
    }

    struct Answer {
        let status: Int
        let code: String?
        let json: JSONValue

        subscript(key: String) -> JSONValue? { json.object?[key] }
        var messages: [[String: JSONValue]] { json.object?["Messages"]?.array?.compactMap(\.object) ?? [] }
    }

    /// Calls an operation of SQS.
    func sqs(_ operation: String, _ input: String) async throws -> Answer {
        let response = try await client.execute(
            uri: "/", method: .post,
            headers: [
                .contentType: "application/x-amz-json-1.0", .init("X-Amz-Target")!: "AmazonSQS.\(operation)",
                .authorization:
                    "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            ], body: ByteBuffer(string: input))
        return Answer(
            status: response.status.code,
            code: response.headers[.init("x-amzn-query-error")!].map { String($0.prefix { $0 != ";" }) },
            json: try JSONValue(parsing: String(buffer: response.body)))
    }

    /// Calls an action of SNS.
    func sns(_ action: String, _ parameters: [(String, String)]) async throws -> (status: Int, xml: String) {
        let form = ([("Action", action), ("Version", "2010-03-31")] + parameters).map { name, value in
            name + "=" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
        let response = try await client.execute(
            uri: "/", method: .post, headers: [.contentType: "application/x-www-form-urlencoded"],
            body: ByteBuffer(string: form.joined(separator: "&")))
        return (response.status.code, String(buffer: response.body))
    }

    /// Follows an address that a notification gave.
    func follow(_ address: String) async throws -> (status: Int, text: String) {
        let url = try #require(URLComponents(string: address))
        let path = url.path.isEmpty ? "/" : url.path
        let response = try await client.execute(
            uri: path + (url.percentEncodedQuery.map { "?\($0)" } ?? ""), method: .get)
        return (response.status.code, String(buffer: response.body))
    }

    static func topicARN(_ name: String) -> String { "arn:aws:sns:us-east-1:000000000000:\(name)" }
    static func queueARN(_ name: String) -> String { "arn:aws:sqs:us-east-1:000000000000:\(name)" }

    /// Subscribes to a topic, and returns the ARN.
    func subscribe(
        _ endpoint: String, _ kind: String, to topic: String, _ attributes: [String: String] = [:]
    ) async throws -> String {
        let answer = try await sns(
            "Subscribe",
            [
                ("TopicArn", Self.topicARN(topic)), ("Protocol", kind), ("Endpoint", endpoint),
                ("ReturnSubscriptionArn", "true"),
            ] + Self.entries(attributes, of: "Attributes"))
        #expect(answer.status == 200, "\(answer.xml)")
        return Self.element("SubscriptionArn", of: answer.xml) ?? ""
    }

    static func entries(_ map: [String: String], of name: String) -> [(String, String)] {
        map.enumerated().flatMap { index, pair in
            [
                ("\(name).entry.\(index + 1).key", pair.key), ("\(name).entry.\(index + 1).value", pair.value),
            ]
        }
    }

    func publish(_ message: String, to topic: String, _ more: [(String, String)] = []) async throws -> String {
        let answer = try await sns("Publish", [("TopicArn", Self.topicARN(topic)), ("Message", message)] + more)
        #expect(answer.status == 200, "\(answer.xml)")
        return Self.element("MessageId", of: answer.xml) ?? ""
    }

    /// The attributes that an answer has as a map.
    func attributes(_ action: String, _ parameter: (String, String)) async throws -> [String: String] {
        let xml = try await sns(action, [parameter]).xml
        let parts = xml.split(separator: "<entry>").dropFirst().map(String.init)
        return Dictionary(
            parts.compactMap { part in
                Self.element("key", of: part).flatMap { key in
                    Self.element("value", of: part).map { (key, $0.replacingOccurrences(of: "&quot;", with: "\"")) }
                }
            }, uniquingKeysWith: { $1 })
    }

    static func element(_ name: String, of xml: String) -> String? {
        guard let start = xml.range(of: "<\(name)>"),
            let end = xml.range(of: "</\(name)>", range: start.upperBound..<xml.endIndex)
        else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }

    /// Creates a queue and returns the member that names it in other requests.
    func queue(_ name: String, _ attributes: String = "{}") async throws -> String {
        let created = try await sqs("CreateQueue", #"{"QueueName":"\#(name)","Attributes":\#(attributes)}"#)
        #expect(created.status == 200)
        return #""QueueUrl":"\#(created["QueueUrl"]?.string ?? "")""#
    }

    func send(_ body: String, to queue: String, _ more: String = "") async throws {
        let sent = try await sqs("SendMessage", #"{\#(queue),"MessageBody":"\#(body)"\#(more)}"#)
        #expect(sent.status == 200)
    }

    func bodies(of queue: String, wait: Int = 0, _ more: String = "") async throws -> [String] {
        let received = try await sqs(
            "ReceiveMessage", #"{\#(queue),"MaxNumberOfMessages":10,"WaitTimeSeconds":\#(wait)\#(more)}"#)
        #expect(received.status == 200)
        return received.messages.compactMap { $0["Body"]?.string }
    }
}
