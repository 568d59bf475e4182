import Contracts

/// A message that a transaction wants to have sent: what it says and where it goes. The outbox adds who sends it, when,
/// and what led to it.
public struct OutgoingMessage: Sendable {
    public let payload: any MessagePayload
    public let destination: Destination
    /// What it is about.
    public let subject: String
    /// Messages with the same key are sent in their order.
    public let partitionKey: String
    /// How long the queue keeps it back, up to 900 s, counted from the transaction.
    public let delay: Duration

    /// An event for everyone who subscribed.
    public static func event(_ payload: some MessagePayload, on topic: Topic, about subject: String) -> Self {
        OutgoingMessage(
            payload: payload, destination: .topic(topic), subject: subject, partitionKey: subject, delay: .zero)
    }

    /// A command for the one service that works off the queue.
    public static func command(
        _ payload: some MessagePayload, to queue: Queue, about subject: String, after delay: Duration = .zero
    ) -> Self {
        OutgoingMessage(
            payload: payload, destination: .queue(queue), subject: subject, partitionKey: subject, delay: delay)
    }
}
