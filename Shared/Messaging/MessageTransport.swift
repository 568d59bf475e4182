import Contracts
import Foundation

/// What a broker can do for the shop: the port behind which Amazon SNS/SQS stands, and an in-memory one in tests.
public protocol MessageTransport: Sendable {
    /// Creates what is missing of the topology. Safe to repeat.
    func ensure(_ topology: Topology) async throws

    /// Sends up to 10 messages, in their order.
    /// - Returns: for each message, in the same order, why it was refused, or `nil` if the broker has it on disk.
    /// - Throws: if it isn't known what the broker has of the batch; then all of it must be sent again.
    func send(_ messages: [OutboundMessage], to destination: Destination) async throws -> [SendRefusal?]

    /// Takes up to 10 messages from a queue, waiting up to `wait` whole seconds for the first.
    /// - Parameter visibilityTimeout: after this, in whole seconds, a message that was neither acknowledged nor
    ///   extended is delivered again.
    func receive(
        from queue: Queue, atMost count: Int, wait: Duration, visibilityTimeout: Duration
    ) async throws -> [InboundMessage]

    /// Removes a message that was handled.
    func acknowledge(_ message: InboundMessage, on queue: Queue) async throws

    /// Makes a message visible again after `delay`, in whole seconds rounded up; zero is at once.
    func changeVisibility(of message: InboundMessage, on queue: Queue, to delay: Duration) async throws

    /// Copies a message to the queue's dead letters with the reason as the attribute `reason`, then removes it.
    func deadLetter(_ message: InboundMessage, on queue: Queue, reason: String) async throws

    /// Says that a reply queue, which ``ensure(_:)`` has made, is in use until `end` at least.
    func renew(_ queue: Queue, until end: Date) async throws

    /// The reply queues whose names begin so, each with the time until which it is in use.
    func leases(prefix: String) async throws -> [Queue: Date]

    /// Removes a queue with all that is in it. One that isn't there is removed already.
    func remove(_ queue: Queue) async throws
}

/// A message on its way to the broker.
public struct OutboundMessage: Sendable, Equatable {
    /// A CloudEvent in JSON.
    public var body: String
    /// String attributes, such as `type`, on which subscriptions filter.
    public var attributes: [String: String]
    /// How long a queue keeps it back, up to 900 s; topics don't delay.
    public var delay: Duration

    public init(body: String, attributes: [String: String], delay: Duration = .zero) {
        self.body = body
        self.attributes = attributes
        self.delay = delay
    }
}

/// A message that was received and isn't acknowledged yet.
public struct InboundMessage: Sendable, Equatable {
    /// The broker's id for it.
    public var id: String
    /// Names this delivery of it.
    public var receiptHandle: String
    public var body: String
    public var attributes: [String: String]
    /// 1 for the first delivery.
    public var receiveCount: Int
    /// When the broker took it in, by its clock.
    public var sentAt: Date?

    public init(
        id: String, receiptHandle: String, body: String, attributes: [String: String], receiveCount: Int,
        sentAt: Date? = nil
    ) {
        self.id = id
        self.receiptHandle = receiptHandle
        self.body = body
        self.attributes = attributes
        self.receiveCount = receiveCount
        self.sentAt = sentAt
    }
}

/// Why the broker didn't take a message of a batch.
public struct SendRefusal: Error, Equatable, CustomStringConvertible {
    /// The service's error code.
    public var code: String
    public var message: String

    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}
