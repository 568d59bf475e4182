import Foundation
import Messaging

/// One attempt at an effect.
public struct EffectAttempt: Sendable {
    /// The idempotency key, the same in each attempt.
    public let key: String
    /// 1 for the first.
    public let number: Int
    /// What led to the effect.
    public let context: MessageContext
}

/// What becomes of an effect after an attempt.
public enum EffectVerdict: Sendable {
    /// It is over, for better or worse; these messages come of it.
    case done([OutgoingMessage])
    /// It failed, and is tried again at that time.
    case again(at: Date)
    /// It wasn't tried, for the other side isn't to be disturbed before that time; this is no attempt.
    case wait(until: Date)

    /// It wasn't tried, and isn't until its lane is released; see ``Effects/release(lane:in:)``.
    public static let hold = EffectVerdict.wait(until: .distantFuture)

    /// For the metrics.
    var word: String {
        switch self {
        case .done: "done"
        case .again: "again"
        case .wait: "waiting"
        }
    }
}
