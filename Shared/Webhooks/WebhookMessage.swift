import Foundation

/// A webhook to be sent. Its id and its body are the same in each attempt, so that receivers recognise repeats;
/// timestamp and signature are the attempt's own.
public struct WebhookMessage: Sendable, Equatable {
    public let id: String
    /// JSON.
    public let body: Data

    /// - Parameter id: visible ASCII without a full stop, at most 256 characters.
    public init(id: String, body: Data) {
        self.id = id
        self.body = body
    }

    /// What goes with the body in an attempt: its type, and the three headers of the specification.
    /// - Parameter secrets: each gives a signature; more than one while a secret is being rotated.
    public func headers(signedAt time: Date, with secrets: [WebhookSecret]) -> [(name: String, value: String)] {
        [
            ("content-type", "application/json"),
            (WebhookSignature.Header.id, id),
            (WebhookSignature.Header.timestamp, "\(Int64(time.timeIntervalSince1970))"),
            (
                WebhookSignature.Header.signature,
                WebhookSignature.sign(id: id, timestamp: time, body: body, secrets: secrets)
            ),
        ]
    }
}
