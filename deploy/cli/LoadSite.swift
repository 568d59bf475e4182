import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// The topic and the queues of a run, and the connections to the server.
struct LoadSite: Sendable {
    let endpoint: LoadEndpoint
    private let loop: any EventLoop
    private let security: NIOSSLContext?
    private let signer: LoadSigner
    private(set) var topic = ""
    private(set) var queues: [String] = []

    init(_ endpoint: LoadEndpoint, signer: LoadSigner, on loop: any EventLoop) throws {
        self.endpoint = endpoint
        self.signer = signer
        self.loop = loop
        security = endpoint.isSecure ? try NIOSSLContext(configuration: .makeClientConfiguration()) : nil
    }

    func connect(_ count: Int) async throws -> [NIOLoopBound<LoadConnection>] {
        var connections: [NIOLoopBound<LoadConnection>] = []
        for _ in 0..<count { connections.append(try await Self.connect(endpoint, security, loop)) }
        return connections
    }

    private static func connect(
        _ endpoint: LoadEndpoint, _ security: NIOSSLContext?, _ loop: any EventLoop
    ) async throws -> NIOLoopBound<LoadConnection> {
        do {
            let channel = try await ClientBootstrap(group: loop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let security {
                        let name = endpoint.host.allSatisfy { $0.isNumber || $0 == "." } ? nil : endpoint.host
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: security, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(LoadConnection())
                }
            }.connect(host: endpoint.host, port: endpoint.port).get()
            return try await loop.submit {
                NIOLoopBound(
                    try channel.pipeline.syncOperations.handler(type: LoadConnection.self), eventLoop: loop)
            }.get()
        } catch {
            throw ShopError("Nothing answers at \(endpoint.authority); start the server or give another --endpoint.")
        }
    }

    // MARK: The topic and its queues

    mutating func build(run: String, queues count: Int) async throws {
        let created = try await form("CreateTopic", [("Name", "load-\(run)")])
        guard let arn = created.firstMatch(of: #/<TopicArn>([^<]+)</TopicArn>/#)?.1 else {
            throw ShopError("CreateTopic answered without an ARN: \(created.prefix(200))")
        }
        topic = String(arn)
        for index in 1...count {
            let queue = try await json("CreateQueue", ["QueueName": "load-\(run)-\(index)"])
            guard let url = queue["QueueUrl"] as? String else { throw ShopError("CreateQueue answered without a URL.") }
            queues.append(url)
            let answer = try await json("GetQueueAttributes", ["QueueUrl": url, "AttributeNames": ["QueueArn"]])
            guard let arn = (answer["Attributes"] as? [String: String])?["QueueArn"] else {
                throw ShopError("GetQueueAttributes answered without the queue's ARN.")
            }
            _ = try await form(
                "Subscribe",
                [
                    ("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", arn), ("ReturnSubscriptionArn", "true"),
                    ("Attributes.entry.1.key", "RawMessageDelivery"), ("Attributes.entry.1.value", "true"),
                ])
        }
    }

    func remove() async throws {
        if !topic.isEmpty { _ = try await form("DeleteTopic", [("TopicArn", topic)]) }
        for queue in queues { _ = try await json("DeleteQueue", ["QueueUrl": queue]) }
    }

    private func form(_ action: String, _ parameters: [(String, String)]) async throws -> String {
        let pairs = [("Action", action), ("Version", "2010-03-31")] + parameters
        let body = pairs.map { "\($0.0)=\(LoadMessages.encode($0.1))" }.joined(separator: "&")
        var signer = signer
        return try await call(action, signer.form(Array(body.utf8), to: endpoint))
    }

    private func json(_ operation: String, _ input: [String: Any]) async throws -> [String: Any] {
        let body = try JSONSerialization.data(withJSONObject: input)
        var signer = signer
        let text = try await call(operation, signer.json(operation, Array(body), to: endpoint))
        return (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
    }

    private func call(_ operation: String, _ request: ByteBuffer) async throws -> String {
        // A connection for each call, for a server may close one that is idle while the messages are on their way.
        let connection = try await Self.connect(endpoint, security, loop)
        let answer = try await loop.flatSubmit { [loop] in
            let promise = loop.makePromise(of: LoadConnection.Answer.self)
            connection.value.send(request) { result in
                promise.completeWith(result.mapError { $0 as any Error })
                connection.value.close()
            }
            return promise.futureResult
        }.get()
        let text = String(buffer: answer.body)
        guard answer.status == 200 else {
            throw ShopError("\(operation) was refused with status \(answer.status): \(text.prefix(400))")
        }
        return text
    }
}
