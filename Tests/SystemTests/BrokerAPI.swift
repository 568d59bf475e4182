import AWSSignature
import Contracts
import Foundation
import Messaging

/// The broker as a stranger with an AWS client sees it: for messages that no service would send, and to look into
/// queues.
struct BrokerAPI: Sendable {
    let stack: Stack
    private let transport: AWSTransport

    init(stack: Stack) {
        self.stack = stack
        transport = AWSTransport(
            http: stack.http,
            access: AWSAccess(
                endpoint: stack.url(of: .broker), region: "us-east-1",
                credentials: .fixed(
                    AWSCredentials(accessKeyID: Stack.accessKeyID, secretAccessKey: Stack.secretAccessKey))),
            channels: .make(maxReceiveCount: 5))
    }

    func send(_ body: String, type: String = "", to destination: Destination) async throws {
        let message = OutboundMessage(body: body, attributes: type.isEmpty ? [:] : ["type": type])
        if let refusal = try await transport.send([message], to: destination).first ?? nil { throw refusal }
    }

    /// Hands an event to one queue alone, as if it had been published to nobody else.
    func deliver(_ payload: some MessagePayload, to queue: Queue = .notification) async throws {
        let type = Swift.type(of: payload).type
        let attributes = EventAttributes(
            id: UUIDv7.make(), source: "/services/system-tests", type: type, subject: "system-tests", time: Date(),
            correlationid: "system-tests")
        let body = try ContractJSON.encode(CloudEvent(attributes: attributes, data: payload))
        try await send(body, type: type, to: .queue(queue))
    }

    /// Makes a queue that gets a copy of everything that is published.
    func spy(on subscriptions: [Topology.Subscription]) async throws -> Queue {
        let queue: Queue = "system-tests"
        try await transport.ensure(
            Topology(
                topics: Array(Set(subscriptions.map(\.topic))), queues: [queue], subscriptions: subscriptions))
        return queue
    }

    /// The reply queues of a service's processes.
    func replyQueues(of program: Program) async throws -> Set<Queue> {
        Set(try await transport.leases(prefix: Queue.repliesPrefix(program.rawValue)).keys)
    }

    /// Takes all messages that are in a queue now.
    func drain(_ queue: Queue) async throws -> [InboundMessage] {
        var messages: [InboundMessage] = []
        while true {
            let page = try await transport.receive(
                from: queue, atMost: 10, wait: .zero, visibilityTimeout: .seconds(60))
            if page.isEmpty { return messages }
            for message in page { try await transport.acknowledge(message, on: queue) }
            messages += page
        }
    }

    /// How many messages a queue holds.
    struct Counts: Decodable, Equatable {
        var visible: Int
        var inFlight: Int
        var delayed: Int

        static let none = Counts(visible: 0, inFlight: 0, delayed: 0)
    }

    func counts(of queue: Queue) async throws -> Counts {
        let input = #"{"QueueUrl":"\#(stack.url(of: .broker))/000000000000/\#(queue)","AttributeNames":["All"]}"#
        let answer = try await call("GetQueueAttributes", Data(input.utf8))
        let attributes = try answer.decode([String: [String: String]].self)["Attributes"] ?? [:]
        func count(_ name: String) throws -> Int {
            guard let count = attributes[name].flatMap({ Int($0) }) else {
                throw SystemTestError("The queue \(queue) has no attribute \(name).")
            }
            return count
        }
        return Counts(
            visible: try count("ApproximateNumberOfMessages"),
            inFlight: try count("ApproximateNumberOfMessagesNotVisible"),
            delayed: try count("ApproximateNumberOfMessagesDelayed"))
    }

    /// Calls an operation of SQS that the shop's own client doesn't need.
    private func call(_ operation: String, _ body: Data) async throws -> ShopAPI.Answer {
        let stamp = SigningKey.timestamp(Date())
        let headers = [
            "content-type": "application/x-amz-json-1.0", "host": String(stack.url(of: .broker).dropFirst(7)),
            "x-amz-date": stamp, "x-amz-target": "AmazonSQS.\(operation)",
        ]
        let signed = headers.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        let key = SigningKey(
            secretAccessKey: Stack.secretAccessKey, day: String(stamp.prefix(8)), region: "us-east-1", service: "sqs")
        let signature = key.signature(of: CanonicalRequest(method: "POST", headers: signed, body: body), stamp: stamp)
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(Stack.accessKeyID)/\(key.scope), "
            + "SignedHeaders=\(signed.map(\.name).joined(separator: ";")), Signature=\(signature)"
        return try await ShopAPI(stack: stack).send(
            .post, .broker, "/", headers: headers.merging(["authorization": authorization]) { $1 }, body: body)
    }

    /// Waits until no message is on its way any more.
    /// - Parameter delayed: whether those that wait for their time count too; none has to wait for longer than lines are
    ///   held back.
    func waitUntilQuiet(delayed: Bool = false) async throws {
        let limit = Duration.seconds(delayed ? stack.settings.holdBackSeconds + 60 : 30)
        try await eventually("all queues and outboxes are empty", within: limit) {
            for service in Program.services {
                guard try await ShopAPI(stack: stack).outboxDepth(of: service) == 0 else { return false }
            }
            for queue in Topology.shop.queues {
                var counts = try await counts(of: queue)
                if !delayed { counts.delayed = 0 }
                guard counts == .none else { return false }
            }
            return true
        }
    }
}
