import Foundation
import Hummingbird
import HummingbirdTesting
import Synchronization
import TestSupport
import Testing

@testable import Broker

/// An HTTP endpoint that notes what it gets and answers as it is told.
final class TestEndpoint: Sendable {
    struct Received: Sendable {
        let path: String
        let headers: [String: String]
        let body: String

        var type: String? { headers["x-amz-sns-message-type"] }
        var members: [String: JSONValue] { (try? JSONValue(parsing: body))?.object ?? [:] }
        func text(_ name: String) -> String { members[name]?.string ?? "" }
    }

    let received = Probe<Received>()
    let port: Int
    private let answers: Answers

    /// The statuses of the next answers, then 200; and the paths that get no answer, or no body, until they are let go.
    private final class Answers: Sendable {
        let statuses = Mutex<[Int]>([])
        let held = Mutex<[String: Probe<Void>]>([:])
        let bodiless = Mutex<[String: Probe<Void>]>([:])
    }

    private init(port: Int, answers: Answers) {
        self.port = port
        self.answers = answers
    }

    func url(_ path: String = "/hook") -> String { "http://127.0.0.1:\(port)\(path)" }

    /// What it answers to notifications from now on.
    func answer(_ statuses: Int...) { answers.statuses.withLock { $0 = statuses } }

    /// Holds the answers of a path back.
    /// - Returns: what to record to for letting them go.
    func hold(_ path: String) -> Probe<Void> {
        let probe = Probe<Void>()
        answers.held.withLock { $0[path] = probe }
        return probe
    }

    /// Answers the notifications on a path with a head that promises a body, and holds the body back.
    /// - Returns: what to record to for letting them go.
    func holdBody(_ path: String) -> Probe<Void> {
        let probe = Probe<Void>()
        answers.bodiless.withLock { $0[path] = probe }
        return probe
    }

    func notifications(_ count: Int) async -> [Received] {
        await received.first(count) { $0.type == "Notification" }
    }

    static func run(_ body: @escaping @Sendable (TestEndpoint) async throws -> Void) async throws {
        let answers = Answers()
        let current = Mutex<TestEndpoint?>(nil)
        let router = Router()
        router.post("**") { request, _ -> Response in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            let headers = Dictionary(
                request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 })
            let received = Received(path: request.uri.path, headers: headers, body: text)
            current.withLock { $0 }?.received.record(received)
            if let held = answers.held.withLock({ $0[request.uri.path] }) { await held.first { true } }
            guard received.type == "Notification" else { return Response(status: .ok) }
            let status = HTTPResponse.Status(code: answers.statuses.withLock { $0.isEmpty ? 200 : $0.removeFirst() })
            guard let held = answers.bodiless.withLock({ $0[request.uri.path] }) else {
                return Response(status: status)
            }
            let body = ResponseBody(contentLength: 4) { writer in
                await held.first { true }
                try await writer.write(ByteBuffer(string: "late"))
                try await writer.finish(nil)
            }
            return Response(status: status, body: body)
        }
        try await Application(router: router).test(.ahc(.http)) { client in
            let endpoint = TestEndpoint(port: try #require(client.port), answers: answers)
            current.withLock { $0 = endpoint }
            try await body(endpoint)
        }
    }
}

extension BrokerFixture {
    /// Subscribes an endpoint to a topic and confirms as the endpoint is asked to.
    /// - Returns: the ARN of the subscription.
    func confirmedSubscription(
        _ endpoint: TestEndpoint, _ path: String = "/hook", to topic: String, _ attributes: [String: String] = [:]
    ) async throws -> String {
        let arn = try await subscribe(endpoint.url(path), "http", to: topic, attributes)
        let asked = try #require(
            await endpoint.received.first { $0.type == "SubscriptionConfirmation" && $0.path == path })
        let answer = try await follow(asked.text("SubscribeURL"))
        #expect(answer.status == 200)
        #expect(Self.element("SubscriptionArn", of: answer.text) == arn)
        return arn
    }
}
