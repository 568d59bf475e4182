import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// An HTTP endpoint on 127.0.0.1 that notes what it gets and answers as it is told, each path in its own way.
public final class WebhookReceiver: Sendable {
    /// One request.
    public struct Received: Sendable {
        public let path: String
        /// By their names in lower case.
        public let headers: [String: String]
        public let body: Data

        /// The `webhook-id`.
        public var id: String { headers["webhook-id"] ?? "" }
        /// A member of the body's JSON object.
        public subscript(_ member: String) -> String? {
            (try? JSONSerialization.jsonObject(with: body) as? [String: Any])?[member] as? String
        }
        /// A member of the body's `data`.
        public func data(_ member: String) -> String? {
            let body = try? JSONSerialization.jsonObject(with: body) as? [String: Any]
            return (body?["data"] as? [String: Any])?[member] as? String
        }
    }

    /// How a request is answered.
    public enum Reply: Sendable {
        case status(Int, headers: [String: String] = [:], text: String = "")
        /// Not before the receiver ends.
        case never
        /// As the first, once the gate is open.
        case later(Gate, status: Int)
    }

    /// All that came.
    public let received = Probe<Received>()
    private let replies = Mutex<[String: @Sendable (Int) -> Reply]>([:])
    private let counts = Mutex<[String: Int]>([:])
    private let end = Gate()
    private let port = Mutex(0)

    private init() {}

    /// Where a path is.
    public func url(_ path: String = "/hook", host: String = "127.0.0.1") -> String {
        "http://\(host):\(port.withLock { $0 })\(path)"
    }

    /// Says how requests to a path are answered from now on; 204 where nothing is said.
    /// - Parameter reply: gets the number of the request to that path, 1 for the first.
    public func answer(_ path: String = "/hook", _ reply: @escaping @Sendable (Int) -> Reply) {
        replies.withLock { $0[path] = reply }
    }

    /// Waits until so many requests have come to a path.
    @discardableResult
    public func first(_ count: Int, at path: String = "/hook") async -> [Received] {
        await received.first(count) { $0.path == path }
    }

    /// What has come to a path so far.
    public func all(at path: String = "/hook") -> [Received] { received.values.filter { $0.path == path } }

    /// Runs `body` with a receiver on a free port.
    @discardableResult
    public static func run<Value: Sendable>(_ body: (WebhookReceiver) async throws -> Value) async throws -> Value {
        let receiver = WebhookReceiver()
        let running = Probe<Int>()
        let router = Router()
        router.post("**") { request, _ in try await receiver.take(request) }
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { running.record($0.localAddress?.port ?? 0) }, logger: .silent)
        return try await withRunning(application) { _ in
            let port = await running.first { _ in true } ?? 0
            receiver.port.withLock { $0 = port }
            defer { receiver.end.open() }
            return try await body(receiver)
        }
    }

    private func take(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 1 << 20)
        let path = request.uri.path
        let received = Received(
            path: path,
            headers: Dictionary(request.headers.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { $1 })
                .merging(request.head.authority.map { ["host": $0] } ?? [:]) { $1 },
            body: Data(body.readableBytesView))
        let number = counts.withLock { counts in
            counts[path, default: 0] += 1
            return counts[path, default: 0]
        }
        let reply = replies.withLock { $0[path] }?(number) ?? .status(204)
        self.received.record(received)
        switch reply {
        case .status(let code, let headers, let text):
            var response = Response(status: .init(code: code), body: .init(byteBuffer: ByteBuffer(string: text)))
            for (name, value) in headers { response.headers[.init(name)!] = value }
            return response
        case .never:
            await end.pass()
            return Response(status: .serviceUnavailable)
        case .later(let gate, let code):
            await gate.pass()
            return Response(status: .init(code: code))
        }
    }
}
