import Foundation
import Persistence

/// What is on disk. All SQL of the broker is here and in the extensions for messages and topics.
///
/// Messages that came together are a batch: a row with their contents, and a share for each queue that gets some of
/// them, so that a batch of ten for two queues is three rows. A share knows which of its messages are left. One that
/// is treated differently from the rest of its share, as when it returns to its queue, stands alone from then on.
///
/// The sequences of all copies are consecutive and start with the id of the batch, and so are the ids of the contents.
/// Whether a batch is still needed is a look at that range.
struct BrokerStore: Sendable {
    let database: any Database
    let sequences: SequenceAllocator

    /// Opens the database, creating it if it isn't there.
    static func open(url: String) async throws -> BrokerStore {
        // Twice what is usual: a batch takes several pages, each of which is two writes for SQLite.
        let database = try await Databases.openSQLite(
            url: url, migrations: migrations + topicMigrations, pageSize: 8192)
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
        // In a FIFO queue `held_until_ms` says from when a message may be delivered, and is never NULL; `visible_at_ms`
        // is 0 for the first message of each group and 1 for those behind it, so that the index by position lists the
        // groups in the order of their first messages. In a standard queue `held_until_ms` is NULL.
        Migration(
            "broker-3-fifo",
            "ALTER TABLE messages ADD COLUMN group_id TEXT",
            "ALTER TABLE messages ADD COLUMN deduplication_id TEXT",
            "ALTER TABLE messages ADD COLUMN held_until_ms INTEGER",
            """
            CREATE INDEX messages_by_group ON messages (queue_id, group_id, sequence)
            WHERE held_until_ms IS NOT NULL
            """,
            """
            CREATE TABLE deduplications (
                id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, scope TEXT NOT NULL,
                deduplication_id TEXT NOT NULL, message_id TEXT NOT NULL, sequence INTEGER NOT NULL,
                sent_at_ms INTEGER NOT NULL, UNIQUE (owner, scope, deduplication_id))
            """),
        Migration(
            "broker-4-move-tasks",
            """
            CREATE TABLE move_tasks (
                id TEXT PRIMARY KEY, source TEXT NOT NULL, source_id INTEGER NOT NULL, destination TEXT,
                rate INTEGER, status TEXT NOT NULL, moved INTEGER NOT NULL, to_move INTEGER NOT NULL, failure TEXT,
                started_at_ms INTEGER NOT NULL)
            """,
            "CREATE INDEX move_tasks_by_source ON move_tasks (source_id, started_at_ms)"),
        Migration(
            "broker-5-batches",
            "CREATE TABLE batches (id INTEGER PRIMARY KEY, span INTEGER NOT NULL, contents BLOB NOT NULL)",
            """
            INSERT INTO batches (id, span, contents)
            SELECT id, (SELECT copies FROM messages WHERE sequence >= bodies.id ORDER BY sequence LIMIT 1),
                CAST(\(raw: netstring("body")) || \(raw: netstring("body_digest")) || \(raw: netstring("attributes"))
                || \(raw: netstring("attributes_digest")) || \(raw: netstring("hole")) || \(raw: netstring("sender"))
                || \(raw: netstring("trace_header")) AS BLOB)
            FROM bodies
            """,
            "DROP TABLE bodies",
            "ALTER TABLE messages DROP COLUMN copies",
            """
            CREATE TABLE shares (
                first INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL, visible_at_ms INTEGER NOT NULL,
                sent_at_ms INTEGER NOT NULL, batch_id INTEGER NOT NULL, members INTEGER NOT NULL,
                count INTEGER NOT NULL, ids BLOB NOT NULL, subscription TEXT)
            """,
            "CREATE INDEX shares_by_position ON shares (queue_id, visible_at_ms, first, count)"),
    ]

    /// The form that ``ContentCoding`` gives a column.
    private static func netstring(_ column: String) -> String {
        "length(CAST(ifnull(\(column), '') AS BLOB)) || ':' || ifnull(\(column), '')"
    }
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

    func updateQueue(_ id: Int64, tags: [String: String], _ transaction: any Transaction) throws {
        try transaction.execute("UPDATE queues SET tags = \(Self.json(tags)) WHERE id = \(id)")
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
        let rows = try transaction.rows(
            """
            SELECT queue_id, COUNT(*) AS messages FROM messages GROUP BY queue_id
            UNION ALL SELECT queue_id, SUM(count) AS messages FROM shares GROUP BY queue_id
            """)
        return try Dictionary(
            rows.map { (try $0.get("queue_id"), try $0.get("messages")) }, uniquingKeysWith: +)
    }

    /// How long a deleted queue's name can't be used again.
    private static let nameIsKept: Milliseconds = 60_000

    func wasDeletedRecently(_ name: String, now: Milliseconds, _ transaction: any Transaction) throws -> Bool {
        try transaction.row(
            "SELECT id FROM queues WHERE name = \(name) AND deleted_at_ms > \(now - Self.nameIsKept) LIMIT 1") != nil
    }

    /// Removes a slice of what deleted and purged queues left behind.
    /// - Returns: whether there is more.
    func sweep(limit: Int, now: Milliseconds, _ transaction: any Transaction) throws -> Bool {
        let swept = try transaction.row(
            """
            SELECT id FROM queues WHERE deleted_at_ms IS NOT NULL
            AND (EXISTS (SELECT 1 FROM messages WHERE queue_id = queues.id)
                OR EXISTS (SELECT 1 FROM shares WHERE queue_id = queues.id)) LIMIT 1
            """)
        guard let queue = try swept?.get("id", as: Int64.self) else {
            try transaction.execute("DELETE FROM queues WHERE deleted_at_ms <= \(now - Self.nameIsKept)")
            return false
        }
        let shares = try transaction.rows("SELECT * FROM shares WHERE queue_id = \(queue) LIMIT \(limit)").map(
            Share.init)
        for share in shares { try delete(share, transaction) }
        let sequences = try transaction.rows("SELECT sequence FROM messages WHERE queue_id = \(queue) LIMIT \(limit)")
            .map { try $0.get("sequence", as: Int64.self) }
        try delete(sequences.map { Doomed(sequence: $0) }, queue: queue, transaction)
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
