import Foundation
import Persistence

/// Remembers what a consumer has handled, in the transaction that had the effect (idempotent consumer).
public enum Inbox {
    /// Notes that a message is being handled.
    /// - Parameters:
    ///   - consumer: who handles it; each sees each message once.
    ///   - messageID: the same for each redelivery.
    /// - Returns: whether it is new; a message that isn't must be skipped and acknowledged.
    public static func insert(
        _ messageID: String, consumer: String, in transaction: any Transaction, now: Date = Date()
    ) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO inbox (consumer, message_id, received_at_ms) VALUES (\(consumer), \(messageID), \(now))
            ON CONFLICT (consumer, message_id) DO NOTHING
            """) == 1
    }

    static func forget(receivedBefore date: Date, in transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM inbox WHERE received_at_ms < \(date)")
    }
}
