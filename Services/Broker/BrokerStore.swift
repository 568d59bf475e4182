import Foundation
import Persistence
import Synchronization

/// Messages on disk: all SQL of queues and messages (that of topics is in an extension).
///
/// A body is stored once. The copies of a message have consecutive sequences that start with the id of the body, so
/// whether a body is still needed is a look at that range.
struct BrokerStore: Sendable {
    let database: any Database
    private let sequences: SequenceAllocator

    /// Opens the database, creating it if it isn't there.
    static func open(url: String) async throws -> BrokerStore {
        let database = try await Databases.open(url: url, migrations: migrations)
        let ceiling = try await database.read { transaction in
            try transaction.row("SELECT ceiling FROM sequences")?.get("ceiling", as: Int64.self) ?? 0
        }
        return BrokerStore(database: database, sequences: SequenceAllocator(ceiling: ceiling))
    }

    static let migrations = [
        Migration(
            "broker-1-queues",
            """
            CREATE TABLE queues (
                id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, attributes TEXT NOT NULL,
                tags TEXT NOT NULL, created_at_ms INTEGER NOT NULL, modified_at_ms INTEGER NOT NULL,
                deleted_at_ms INTEGER)
            """,
            "CREATE UNIQUE INDEX queues_by_name ON queues (name) WHERE deleted_at_ms IS NULL",
            """
            CREATE TABLE bodies (
                id INTEGER PRIMARY KEY, size INTEGER NOT NULL, body_digest TEXT NOT NULL, attributes TEXT,
                attributes_digest TEXT, hole INTEGER, sender TEXT NOT NULL, trace_header TEXT, body TEXT NOT NULL)
            """,
            """
            CREATE TABLE messages (
                sequence INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL, visible_at_ms INTEGER NOT NULL,
                sent_at_ms INTEGER NOT NULL, receive_count INTEGER NOT NULL, first_received_at_ms INTEGER,
                body_id INTEGER NOT NULL, copies INTEGER NOT NULL, message_id TEXT NOT NULL,
                subscription TEXT, dead_letter_source TEXT)
            """,
            "CREATE INDEX messages_by_position ON messages (queue_id, visible_at_ms, sequence)",
            "CREATE TABLE sequences (ceiling INTEGER NOT NULL)",
            "INSERT INTO sequences (ceiling) VALUES (1)"),
        Migration(
            "broker-2-topics",
            """
            CREATE TABLE topics (
                name TEXT PRIMARY KEY, attributes TEXT NOT NULL, tags TEXT NOT NULL, created_at_ms INTEGER NOT NULL)
            """,
            """
            CREATE TABLE subscriptions (
                id TEXT PRIMARY KEY, topic TEXT NOT NULL REFERENCES topics (name) ON DELETE CASCADE,
                protocol TEXT NOT NULL, endpoint TEXT NOT NULL, attributes TEXT NOT NULL,
                created_at_ms INTEGER NOT NULL, UNIQUE (topic, protocol, endpoint))
            """),
    ]
}

// MARK: Queues

extension BrokerStore {
    struct QueueRecord: Sendable {
        let id: Int64
        let name: String
        let attributes: QueueAttributes
        let tags: [String: String]
        let createdAt: Milliseconds
        let modifiedAt: Milliseconds
    }

    func queues(_ transaction: any Transaction) throws -> [QueueRecord] {
        try transaction.rows("SELECT * FROM queues WHERE deleted_at_ms IS NULL ORDER BY name").map(record)
    }

    func queue(named name: String, _ transaction: any Transaction) throws -> QueueRecord? {
        try transaction.row("SELECT * FROM queues WHERE name = \(name) AND deleted_at_ms IS NULL").map(record)
    }

    /// The id of a queue, for each send: a name may have been deleted or purged since it was looked up.
    func queueID(_ name: String, _ transaction: any Transaction) throws -> Int64? {
        try transaction.row("SELECT id FROM queues WHERE name = \(name) AND deleted_at_ms IS NULL")?.get("id")
    }

    func createQueue(
        _ name: String, attributes: QueueAttributes, tags: [String: String], now: Milliseconds,
        _ transaction: any Transaction
    ) throws -> QueueRecord {
        try transaction.execute(
            """
            INSERT INTO queues (name, attributes, tags, created_at_ms, modified_at_ms)
            VALUES (\(name), \(Self.json(attributes.values)), \(Self.json(tags)), \(now), \(now))
            """)
        guard let record = try queue(named: name, transaction) else { throw AWSError.internalFailure }
        return record
    }

    func updateQueue(
        _ id: Int64, attributes: QueueAttributes, now: Milliseconds, _ transaction: any Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE queues SET attributes = \(Self.json(attributes.values)), modified_at_ms = \(now) WHERE id = \(id)
            """)
    }

    /// Takes a queue out of sight at once. Its messages are removed in slices by `sweep`.
    func deleteQueue(_ id: Int64, now: Milliseconds, _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE queues SET deleted_at_ms = \(now) WHERE id = \(id)")
    }

    /// Empties a queue at once: an empty one takes its place, and the old one with its messages is swept.
    func purgeQueue(_ record: QueueRecord, now: Milliseconds, _ transaction: any Transaction) throws {
        try deleteQueue(record.id, now: now, transaction)
        try transaction.execute(
            """
            INSERT INTO queues (name, attributes, tags, created_at_ms, modified_at_ms)
            SELECT name, attributes, tags, created_at_ms, modified_at_ms FROM queues WHERE id = \(record.id)
            """)
    }

    func countMessages(_ transaction: any Transaction) throws -> [Int64: Int] {
        let rows = try transaction.rows("SELECT queue_id, COUNT(*) AS messages FROM messages GROUP BY queue_id")
        return try Dictionary(
            rows.map { (try $0.get("queue_id"), try $0.get("messages")) }, uniquingKeysWith: { first, _ in first })
    }

    /// Removes a slice of what deleted and purged queues left behind.
    /// - Returns: whether there is more.
    func sweep(limit: Int, _ transaction: any Transaction) throws -> Bool {
        guard
            let queue = try transaction.row("SELECT id FROM queues WHERE deleted_at_ms IS NOT NULL LIMIT 1")?
                .get("id", as: Int64.self)
        else { return false }
        let sequences = try transaction.rows("SELECT sequence FROM messages WHERE queue_id = \(queue) LIMIT \(limit)")
            .map { try $0.get("sequence", as: Int64.self) }
        for sequence in sequences { try delete(sequence, queue: queue, transaction) }
        if sequences.count < limit { try transaction.execute("DELETE FROM queues WHERE id = \(queue)") }
        return true
    }

    private func record(_ row: Row) throws -> QueueRecord {
        QueueRecord(
            id: try row.get("id"), name: try row.get("name"),
            attributes: QueueAttributes(stored: try Self.dictionary(row.get("attributes"))),
            tags: try Self.dictionary(row.get("tags")), createdAt: try row.get("created_at_ms"),
            modifiedAt: try row.get("modified_at_ms"))
    }

    static func json(_ values: [String: String]) -> String {
        var json = JSONWriter()
        json.object(values.sorted { $0.key < $1.key }) { json, name, value in json.member(name, value) }
        return json.text
    }

    static func dictionary(_ json: String) throws -> [String: String] {
        try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
    }
}

// MARK: Messages

extension BrokerStore {
    /// One copy of a message for one queue.
    struct Copy: Sendable {
        let queue: Int64
        let messageID: String
        let visibleAt: Milliseconds
        var subscription: String?
    }

    /// Stores a message with all its copies.
    func insert(
        _ content: MessageContent, copies: [Copy], sentAt: Milliseconds, _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        let first = try sequences.take(copies.count, transaction)
        try transaction.execute(
            """
            INSERT INTO bodies (id, size, body_digest, attributes, attributes_digest, hole, sender, trace_header, body)
            VALUES (\(first), \(content.size), \(content.bodyDigest), \(content.attributes),
                \(content.attributesDigest), \(content.hole), \(content.sender), \(content.traceHeader),
                \(content.body))
            """)
        return try copies.enumerated().map { index, copy in
            let sequence = first + Int64(index)
            try transaction.execute(
                """
                INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id, copies,
                    message_id, subscription)
                VALUES (\(sequence), \(copy.queue), \(copy.visibleAt), \(sentAt), 0, \(first), \(copies.count),
                    \(copy.messageID), \(copy.subscription))
                """)
            return QueuedMessage(
                sequence: sequence, messageID: copy.messageID, visibleAt: copy.visibleAt, sentAt: sentAt,
                bodyID: first, subscription: copy.subscription, content: content)
        }
    }

    /// Deletes a message, and its body with the last copy.
    /// - Returns: whether it was there.
    @discardableResult
    func delete(
        _ sequence: Int64, queue: Int64, messageID: String? = nil, _ transaction: any Transaction
    ) throws -> Bool {
        let matching: SQL =
            if let messageID {
                """
                DELETE FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue)
                AND message_id = \(messageID) RETURNING body_id, copies
                """
            } else {
                """
                DELETE FROM messages WHERE sequence = \(sequence) AND queue_id = \(queue) RETURNING body_id, copies
                """
            }
        guard let row = try transaction.row(matching) else { return false }
        let body: Int64 = try row.get("body_id")
        let copies: Int64 = try row.get("copies")
        if copies == 1 {
            try transaction.execute("DELETE FROM bodies WHERE id = \(body)")
        } else {
            try transaction.execute(
                """
                DELETE FROM bodies WHERE id = \(body) AND NOT EXISTS
                (SELECT 1 FROM messages WHERE sequence >= \(body) AND sequence < \(body + copies))
                """)
        }
        return true
    }

    func contains(_ sequence: Int64, queue: Int64, messageID: String, _ transaction: any Transaction) throws -> Bool {
        try transaction.row(
            """
            SELECT 1 AS found FROM messages
            WHERE sequence = \(sequence) AND queue_id = \(queue) AND message_id = \(messageID)
            """) != nil
    }

    /// Gives messages their new place.
    func save(_ returns: [QueueState.Return], queue: Int64, _ transaction: any Transaction) throws {
        for change in returns {
            try transaction.execute(
                """
                UPDATE messages SET visible_at_ms = \(change.visibleAt), receive_count = \(change.receiveCount),
                    first_received_at_ms = \(change.firstReceivedAt)
                WHERE sequence = \(change.sequence) AND queue_id = \(queue)
                """)
        }
    }

    /// Moves messages to the dead-letter queue; they keep id, body and attributes, and the time of sending.
    /// - Returns: the messages that were still there, as the other queue has them.
    func move(
        _ sequences: [Int64], from queue: QueueRecord, to target: Int64, now: Milliseconds,
        _ transaction: any Transaction
    ) throws -> [QueuedMessage] {
        try sequences.compactMap { sequence in
            try transaction.row(
                """
                UPDATE messages SET queue_id = \(target), visible_at_ms = \(now), dead_letter_source = \(queue.name)
                WHERE sequence = \(sequence) AND queue_id = \(queue.id) RETURNING *
                """
            ).map(message)
        }
    }

    /// The next messages of a queue from a position on, with their contents.
    func page(_ request: QueueState.PageRequest, queue: Int64, _ transaction: any Transaction) throws -> [QueuedMessage]
    {
        try transaction.rows(
            """
            SELECT messages.*, bodies.body, bodies.body_digest, bodies.attributes, bodies.attributes_digest,
                bodies.hole, bodies.sender, bodies.trace_header
            FROM messages LEFT JOIN bodies ON bodies.id = messages.body_id AND bodies.size <= 8192
            WHERE queue_id = \(queue)
            AND (visible_at_ms, sequence) >= (\(request.from.visibleAt), \(request.from.sequence))
            ORDER BY visible_at_ms, sequence LIMIT \(request.limit)
            """
        ).map { row in
            var message = try message(row)
            if try row.get("body", as: String?.self) != nil { message.content = try content(row) }
            return message
        }
    }

    /// Contents by the id of the body.
    func contents(_ ids: [Int64], _ transaction: any Transaction) throws -> [Int64: MessageContent] {
        let rows = try transaction.rows("SELECT * FROM bodies WHERE id IN (\(list: ids))")
        return try Dictionary(rows.map { (try $0.get("id"), try content($0)) }, uniquingKeysWith: { first, _ in first })
    }

    private func message(_ row: Row) throws -> QueuedMessage {
        QueuedMessage(
            sequence: try row.get("sequence"), messageID: try row.get("message_id"),
            visibleAt: try row.get("visible_at_ms"), sentAt: try row.get("sent_at_ms"),
            receiveCount: try row.get("receive_count"), firstReceivedAt: try row.get("first_received_at_ms"),
            bodyID: try row.get("body_id"), subscription: try row.get("subscription"),
            deadLetterSource: try row.get("dead_letter_source"))
    }

    private func content(_ row: Row) throws -> MessageContent {
        MessageContent(
            body: try row.get("body"), bodyDigest: try row.get("body_digest"), attributes: try row.get("attributes"),
            attributesDigest: try row.get("attributes_digest"), hole: try row.get("hole"),
            sender: try row.get("sender"), traceHeader: try row.get("trace_header"))
    }
}

/// Hands out sequences, of which none is ever used twice, not even after a crash: the disk knows a number that all of
/// them are below, raised in the transaction that first needs more. A restart goes on from there.
final class SequenceAllocator: Sendable {
    private struct State {
        var next: Int64
        var ceiling: Int64
    }

    private let state: Mutex<State>
    private static let block: Int64 = 1 << 20

    init(ceiling: Int64) { state = Mutex(State(next: ceiling, ceiling: ceiling)) }

    /// Takes consecutive sequences inside a write, of which only one runs at a time. A rollback leaves a gap.
    func take(_ count: Int, _ transaction: any Transaction) throws -> Int64 {
        let (first, end, ceiling) = state.withLock { state in
            let first = state.next
            state.next += Int64(count)
            return (first, state.next, state.ceiling)
        }
        if end > ceiling {
            let raised = end + Self.block
            try transaction.execute("UPDATE sequences SET ceiling = \(raised) WHERE ceiling < \(raised)")
            transaction.onCommit { self.state.withLock { $0.ceiling = max($0.ceiling, raised) } }
        }
        return first
    }
}
