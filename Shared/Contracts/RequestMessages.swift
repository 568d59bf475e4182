/// A question that another service answers with a message of its own (Enterprise Integration Patterns: Request-Reply).
///
/// Its envelope has the return address (`replyto`) and the time after which nobody waits for the answer any more
/// (`expirytime`). The answer's envelope names the question by its id (`causationid`), which is the Correlation
/// Identifier: `correlationid` is the same for everything that one customer's request sets going, and wouldn't tell one
/// question from another.
public protocol RequestPayload: MessagePayload {
    /// What the answer carries.
    associatedtype Reply: MessagePayload
}

/// The answer to a question that can't be answered, so that nobody waits for it in vain.
public struct RequestRefused: MessagePayload {
    public static let type = "shop.request.refused.v1"
    /// A sentence for whoever asked.
    public var reason: String

    public init(reason: String) { self.reason = reason }
}
