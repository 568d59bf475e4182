import Contracts
import Foundation
import Outbox
import Persistence

/// The mails: which are to be delivered, and what has become of them.
struct MailStore: Sendable {
    private let database: any Database

    init(database: any Database) { self.database = database }

    static let migrations =
        Outbox.migrations + [
            Migration(
                "email-001-mails",
                """
                CREATE TABLE mails (
                    message_id TEXT PRIMARY KEY,
                    order_id TEXT NOT NULL,
                    recipient TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    text TEXT NOT NULL,
                    correlation_id TEXT NOT NULL,
                    written_at_ms INTEGER NOT NULL,
                    status TEXT NOT NULL,
                    settled_at_ms INTEGER,
                    refusal TEXT)
                """,
                "CREATE INDEX mails_by_delivery ON mails (status, settled_at_ms, message_id)",
                "CREATE INDEX mails_by_order ON mails (order_id, status, settled_at_ms, message_id)")
        ]

    /// Keeps a mail.
    /// - Returns: whether it is new; what is there is left as it is.
    func add(_ mail: Mail, in transaction: any Transaction) throws -> Bool {
        let status = StatusColumns(mail.status)
        return try transaction.execute(
            """
            INSERT INTO mails (message_id, order_id, recipient, kind, subject, text, correlation_id, written_at_ms,
                status, settled_at_ms, refusal)
            VALUES (\(mail.id), \(mail.orderID?.rawValue ?? ""), \(mail.recipient), \(mail.kind), \(mail.subject), \(mail.text),
                \(mail.correlationID), \(mail.writtenAt), \(status.word), \(status.settledAt.sqlValue),
                \(status.refusal.sqlValue))
            ON CONFLICT (message_id) DO NOTHING
            """) == 1
    }

    /// Writes down what has become of a mail. What was written down first stays.
    func settle(_ id: MailID, _ outcome: DeliveryOutcome, at time: Date, in transaction: any Transaction) throws {
        let status =
            switch outcome {
            case .delivered: StatusColumns(.delivered(at: time))
            case .refused(let reason): StatusColumns(.refused(at: time, reason: reason))
            }
        try transaction.execute(
            """
            UPDATE mails SET status = \(status.word), settled_at_ms = \(status.settledAt.sqlValue),
                refusal = \(status.refusal.sqlValue)
            WHERE message_id = \(id) AND status = 'waiting'
            """)
    }

    func mail(_ id: MailID) async throws -> Mail? {
        try await database.read { transaction in
            try transaction.row("SELECT * FROM mails WHERE message_id = \(id)").map(Mail.init)
        }
    }

    /// The delivered mails of an order, or of all, the latest first.
    func delivered(orderID: OrderID?, after cursor: MailCursor?, atMost count: Int) async throws -> MailPage {
        try await database.read { transaction in
            let position = cursor ?? .beforeAll
            let query: SQL =
                if let orderID {
                    """
                    SELECT * FROM mails WHERE order_id = \(orderID) AND status = 'delivered'
                        AND (settled_at_ms, message_id) < (\(position.deliveredAt), \(position.id))
                    ORDER BY settled_at_ms DESC, message_id DESC LIMIT \(count + 1)
                    """
                } else {
                    """
                    SELECT * FROM mails WHERE status = 'delivered'
                        AND (settled_at_ms, message_id) < (\(position.deliveredAt), \(position.id))
                    ORDER BY settled_at_ms DESC, message_id DESC LIMIT \(count + 1)
                    """
                }
            let rows = try transaction.rows(query)
            let mails = try rows.prefix(count).map(Mail.init)
            return MailPage(mails: mails, next: rows.count > count ? mails.last.flatMap(MailCursor.init) : nil)
        }
    }
}

/// A part of a list of mails.
struct MailPage: Sendable {
    let mails: [Mail]
    /// Where the next part begins; `nil` after the last.
    let next: MailCursor?
}

/// A place in the list of delivered mails: behind the mail that it names.
struct MailCursor: Equatable, Sendable {
    let deliveredAt: Date
    let id: MailID

    fileprivate static let beforeAll = MailCursor(deliveredAt: Date(timeIntervalSince1970: 1e12), id: "")

    private init(deliveredAt: Date, id: MailID) {
        self.deliveredAt = deliveredAt
        self.id = id
    }

    fileprivate init?(_ mail: Mail) {
        guard case .delivered(let time) = mail.status else { return nil }
        self.init(deliveredAt: time, id: mail.id)
    }

    /// As clients see it: `MILLISECONDS.MESSAGEID`, nothing to take apart.
    var text: String { "\(Int64((deliveredAt.timeIntervalSince1970 * 1000).rounded())).\(id)" }

    init?(text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = Int64(parts[0]), (0...Int64(1e15)).contains(milliseconds) else {
            return nil
        }
        self.init(
            deliveredAt: Date(timeIntervalSince1970: Double(milliseconds) / 1000),
            id: MailID(rawValue: String(parts[1])))
    }
}

/// A status as columns.
private struct StatusColumns {
    let word: String
    var settledAt: Date?
    var refusal: String?

    init(_ status: MailStatus) {
        switch status {
        case .waiting: word = "waiting"
        case .delivered(let time):
            word = "delivered"
            settledAt = time
        case .refused(let time, let reason):
            word = "refused"
            settledAt = time
            refusal = reason
        }
    }
}

extension MailStatus {
    fileprivate init(_ row: Row) throws {
        let word: String = try row.get("status")
        switch word {
        case "waiting": self = .waiting
        case "delivered": self = .delivered(at: try row.get("settled_at_ms"))
        case "refused": self = .refused(at: try row.get("settled_at_ms"), reason: try row.get("refusal"))
        default: throw DatabaseError.column("status", reason: "'\(word)' is no status of a mail")
        }
    }
}

extension Mail {
    fileprivate init(_ row: Row) throws {
        // The column is older than mails without an order, for which it is empty.
        let orderID: OrderID = try row.get("order_id")
        self.init(
            id: try row.get("message_id"), orderID: orderID.rawValue.isEmpty ? nil : orderID,
            recipient: try row.get("recipient"),
            kind: try row.get("kind"), subject: try row.get("subject"), text: try row.get("text"),
            correlationID: try row.get("correlation_id"), writtenAt: try row.get("written_at_ms"),
            status: try MailStatus(row))
    }
}
