import Contracts
import Foundation
import Messaging
import Persistence

/// Something to be done outside the database: a mail, a call to a gateway, a webhook. It is a row first, written in the
/// transaction that wants it, and is worked off by an ``EffectSender`` until it has succeeded.
public protocol Effect: Codable, Sendable {
    /// Names the type in the database; never changed once rows exist.
    static var kind: String { get }
}

/// Writes effects into a service's database.
public struct Effects: Sendable {
    /// Raised after each commit that wrote a row.
    let written = Signal()

    public init() {}

    /// Writes an effect into the transaction. A second one with the same kind and key is ignored: it is the same.
    /// - Parameters:
    ///   - key: unique within the kind, and given to the other side as the idempotency key of each attempt.
    ///   - dueAt: not before this.
    ///   - lane: who is on the other side, where there are several, so that one who is slow holds up no other.
    public func add<Kind: Effect>(
        _ effect: Kind, key: String, dueAt: Date = Date(), lane: String? = nil, context: MessageContext,
        in transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO effects (idempotency_key, kind, payload, context, attempts, due_at_ms, lane)
            VALUES (\(EffectRow.id(kind: Kind.kind, key: key)), \(Kind.kind), \(try ContractJSON.encode(effect)),
                \(try ContractJSON.encode(context)), 0, \(dueAt), \(lane))
            ON CONFLICT (idempotency_key) DO NOTHING
            """)
        transaction.onCommit { [written] in written.raise() }
    }

    /// Makes an effect due now that waits for its next attempt.
    public func hurry<Kind: Effect>(_ kind: Kind.Type, key: String, in transaction: any Transaction) throws {
        let now = Date()
        try transaction.execute(
            """
            UPDATE effects SET due_at_ms = \(now)
            WHERE idempotency_key = \(EffectRow.id(kind: Kind.kind, key: key)) AND due_at_ms > \(now)
            """)
        transaction.onCommit { [written] in written.raise() }
    }

    /// Makes due now what is held back in a lane (``EffectVerdict/hold``).
    public func release(lane: String, in transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE effects SET due_at_ms = \(Date()) WHERE lane = \(lane) AND due_at_ms = \(Date.distantFuture)")
        transaction.onCommit { [written] in written.raise() }
    }

    /// Takes away all effects of a lane; those that are being performed now come to their end, of which nothing is recorded.
    public func remove(lane: String, in transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM effects WHERE lane = \(lane)")
    }
}

/// A row of the effects table.
struct EffectRow: Sendable {
    /// Kind and key, separated by a colon.
    let id: String
    let kind: String
    let payload: String
    /// A ``Messaging/MessageContext`` in JSON, which is read when it is needed: rows are looked at far more often than
    /// worked on.
    let context: String
    let attempts: Int
    let dueAt: Date
    let lane: String?

    /// The key that the other side gets.
    var idempotencyKey: String { String(id.dropFirst(kind.count + 1)) }

    static func id(kind: String, key: String) -> String { "\(kind):\(key)" }

    /// The effects that come first, due or not, without those that are being worked on and those of some lanes.
    static func next(
        _ count: Int, except busy: Set<String>, fullLanes: [String] = [], in transaction: any Transaction
    ) throws -> [EffectRow] {
        let conditions: [SQL] = fullLanes.isEmpty ? [] : ["(lane IS NULL OR lane NOT IN (\(list: fullLanes)))"]
        let rows = try transaction.rows(
            "SELECT * FROM effects \(where: conditions) ORDER BY due_at_ms LIMIT \(count + busy.count)")
        return try rows.map { row in
            EffectRow(
                id: try row.get("idempotency_key"), kind: try row.get("kind"), payload: try row.get("payload"),
                context: try row.get("context"), attempts: try row.get("attempts"),
                dueAt: try row.get("due_at_ms"), lane: try row.get("lane"))
        }.filter { !busy.contains($0.id) }
    }

    /// Whether it is as it was when it was taken in hand. Else it was taken away, or another process, which had the turn by then,
    /// has done it, too.
    func isUnchanged(in transaction: any Transaction) throws -> Bool {
        let attempts = try transaction.row("SELECT attempts FROM effects WHERE idempotency_key = \(id)")
        return try attempts?.get("attempts") == self.attempts
    }

    func remove(in transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM effects WHERE idempotency_key = \(id)")
    }

    func postpone(to date: Date, error: String?, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE effects SET attempts = attempts + 1, due_at_ms = \(date), last_error = \(error)
            WHERE idempotency_key = \(id)
            """)
    }

    func wait(until date: Date, in transaction: any Transaction) throws {
        try transaction.execute("UPDATE effects SET due_at_ms = \(date) WHERE idempotency_key = \(id)")
    }
}
