import Foundation
import Persistence
import Telemetry

/// The history of traces: all of the console's SQL. What is kept is bounded by number, room and age; what is over goes
/// a trace at a time, the one that was silent for longest first, so that no order's timeline has holes.
struct TraceStore: Sendable {
    struct Limits: Equatable, Sendable {
        var spans: Int
        var bytes: Int
        /// Seconds.
        var age: Int
    }

    let database: any Database
    let limits: Limits

    /// How many spans a timeline shows at most.
    static let largestTimeline = 5000

    static let migrations = [
        Migration(
            "console-001",
            """
            CREATE TABLE traces (
                trace_id TEXT PRIMARY KEY,
                correlation_id TEXT,
                order_id TEXT,
                touched_at_ms INTEGER NOT NULL,
                span_count INTEGER NOT NULL,
                byte_count INTEGER NOT NULL)
            """,
            "CREATE INDEX traces_by_age ON traces (touched_at_ms, trace_id)",
            "CREATE INDEX traces_by_correlation ON traces (correlation_id)",
            "CREATE INDEX traces_by_order ON traces (order_id)",
            """
            CREATE TABLE spans (
                trace_id TEXT NOT NULL,
                span_id TEXT NOT NULL,
                parent_span_id TEXT,
                service TEXT NOT NULL,
                name TEXT NOT NULL,
                kind TEXT NOT NULL,
                started_at_ns INTEGER NOT NULL,
                ended_at_ns INTEGER NOT NULL,
                status TEXT NOT NULL,
                status_message TEXT,
                details TEXT NOT NULL,
                PRIMARY KEY (trace_id, span_id))
            """),
        // To add up all traces each time that something comes would cost more than what comes.
        Migration(
            "console-002",
            """
            CREATE TABLE totals (spans INTEGER NOT NULL, bytes INTEGER NOT NULL)
            """,
            """
            INSERT INTO totals (spans, bytes)
            SELECT COALESCE(SUM(span_count), 0), COALESCE(SUM(byte_count), 0) FROM traces
            """),
    ]

    /// Adds what came. A sender that had no answer sends again; what is there already is left as it is.
    func add(_ spans: [SpanRecord], now: Date = Date()) async throws {
        let rows = spans.map { ($0, SpanDetails($0).json) }
        try await database.write { transaction in
            var traces: [String: Addition] = [:]
            for (span, details) in rows {
                let isNew =
                    try transaction.execute(
                        """
                        INSERT INTO spans (trace_id, span_id, parent_span_id, service, name, kind, started_at_ns,
                            ended_at_ns, status, status_message, details)
                        VALUES (\(span.traceID), \(span.spanID), \(span.parentSpanID), \(span.service), \(span.name),
                            \(span.kind), \(span.startNanoseconds), \(span.endNanoseconds), \(span.status),
                            \(span.statusMessage), \(details))
                        ON CONFLICT (trace_id, span_id) DO NOTHING
                        """) == 1
                if isNew { traces[span.traceID, default: Addition()].add(span, bytes: details.utf8.count) }
            }
            for (traceID, addition) in traces { try addition.write(to: traceID, at: now, in: transaction) }
            try transaction.execute(
                """
                UPDATE totals SET spans = spans + \(traces.values.map(\.spans).reduce(0, +)),
                    bytes = bytes + \(traces.values.map(\.bytes).reduce(0, +))
                """)
            try prune(now: now, in: transaction)
        }
    }

    /// Notes which order a correlation id belongs to, so that its traces are found by either.
    func note(order: String, correlation: String) async throws {
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE traces SET order_id = \(order) WHERE correlation_id = \(correlation) AND order_id IS NULL")
        }
    }

    /// What is known of the traces that an id stands for: an order's, a correlation id or a trace's own.
    struct Subject: Equatable, Sendable {
        var traceIDs: [String]
        var orderID: String?
        var correlationID: String?
        /// Grows with each span.
        var spanCount: Int
    }

    func subject(of id: String) async throws -> Subject {
        try await database.read { transaction in
            let rows = try transaction.rows(
                """
                SELECT trace_id, order_id, correlation_id, span_count FROM traces
                WHERE trace_id = \(id) OR correlation_id = \(id) OR order_id = \(id)
                ORDER BY touched_at_ms LIMIT 50
                """)
            return Subject(
                traceIDs: try rows.map { try $0.get("trace_id") },
                orderID: try rows.lazy.compactMap { try $0.get("order_id", as: String?.self) }.first,
                correlationID: try rows.lazy.compactMap { try $0.get("correlation_id", as: String?.self) }.first,
                spanCount: try rows.map { try $0.get("span_count", as: Int.self) }.reduce(0, +))
        }
    }

    /// The spans of these traces, by the time of their start.
    func spans(of traceIDs: [String]) async throws -> [SpanRecord] {
        guard !traceIDs.isEmpty else { return [] }
        return try await database.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM spans WHERE trace_id IN (\(list: traceIDs))
                ORDER BY started_at_ns, span_id LIMIT \(Self.largestTimeline)
                """
            ).map { try SpanRecord($0) }
        }
    }

    /// How much there is.
    struct Size: Codable, Equatable, Sendable {
        var traces: Int
        var spans: Int
        var bytes: Int
    }

    func size() async throws -> Size {
        try await database.read { try Size(in: $0) }
    }
}

// MARK: - What is over

extension TraceStore {
    /// A tenth more than needed goes at once, so that not every request has to remove something.
    private func prune(now: Date, in transaction: any Transaction) throws {
        try remove(
            try transaction.rows(
                """
                SELECT trace_id FROM traces WHERE touched_at_ms < \(now.addingTimeInterval(-Double(limits.age)))
                ORDER BY touched_at_ms LIMIT 1000
                """
            ).map { try $0.get("trace_id") }, in: transaction)
        guard let row = try transaction.row("SELECT spans, bytes FROM totals") else { return }
        var (spans, bytes): (Int, Int) = (try row.get("spans"), try row.get("bytes"))
        guard spans > limits.spans || bytes > limits.bytes else { return }
        var doomed: [String] = []
        let oldest = try transaction.rows(
            "SELECT trace_id, span_count, byte_count FROM traces ORDER BY touched_at_ms, trace_id")
        for row in oldest where spans > limits.spans / 10 * 9 || bytes > limits.bytes / 10 * 9 {
            doomed.append(try row.get("trace_id"))
            spans -= try row.get("span_count", as: Int.self)
            bytes -= try row.get("byte_count", as: Int.self)
        }
        try remove(doomed, in: transaction)
    }

    private func remove(_ traceIDs: [String], in transaction: any Transaction) throws {
        for start in stride(from: 0, to: traceIDs.count, by: 500) {
            let part = Array(traceIDs[start..<min(start + 500, traceIDs.count)])
            try transaction.execute(
                """
                UPDATE totals SET
                    spans = spans - (SELECT COALESCE(SUM(span_count), 0) FROM traces WHERE trace_id IN (\(list: part))),
                    bytes = bytes - (SELECT COALESCE(SUM(byte_count), 0) FROM traces WHERE trace_id IN (\(list: part)))
                """)
            try transaction.execute("DELETE FROM spans WHERE trace_id IN (\(list: part))")
            try transaction.execute("DELETE FROM traces WHERE trace_id IN (\(list: part))")
        }
    }
}

extension TraceStore.Size {
    fileprivate init(in transaction: any Transaction) throws {
        let row = try transaction.row(
            "SELECT (SELECT COUNT(*) FROM traces) AS traces, spans, bytes FROM totals")
        traces = try row?.get("traces") ?? 0
        spans = try row?.get("spans") ?? 0
        bytes = try row?.get("bytes") ?? 0
    }
}

// MARK: - Rows

/// What one request adds to a trace.
private struct Addition {
    private var correlationID: String?
    private var orderID: String?
    private(set) var spans = 0
    private(set) var bytes = 0

    mutating func add(_ span: SpanRecord, bytes: Int) {
        correlationID = correlationID ?? span.correlationID
        orderID = orderID ?? span.orderID
        spans += 1
        // What a row and its index entry take besides the details, roughly.
        self.bytes += bytes + 300
    }

    func write(to traceID: String, at now: Date, in transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO traces (trace_id, correlation_id, order_id, touched_at_ms, span_count, byte_count)
            VALUES (\(traceID), \(correlationID), \(orderID), \(now), \(spans), \(bytes))
            ON CONFLICT (trace_id) DO UPDATE SET
                correlation_id = COALESCE(traces.correlation_id, excluded.correlation_id),
                order_id = COALESCE(traces.order_id, excluded.order_id),
                touched_at_ms = excluded.touched_at_ms,
                span_count = traces.span_count + excluded.span_count,
                byte_count = traces.byte_count + excluded.byte_count
            """)
    }
}

/// The part of a span that is only ever shown as a whole.
private struct SpanDetails: Decodable {
    let attributes: [String: JSONValue]
    let events: [SpanRecord.Event]?
}

extension SpanDetails {
    init(_ span: SpanRecord) {
        self.init(attributes: span.attributes, events: span.events.isEmpty ? nil : span.events)
    }

    /// Written by hand, for there are thousands of them a second.
    var json: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("attributes")
            writer.value(.object(attributes))
            guard let events else { return }
            writer.key("events")
            writer.array { writer in
                for event in events {
                    writer.object { writer in
                        writer.key("name")
                        writer.string(event.name)
                        writer.key("nanoseconds")
                        writer.literal(event.nanoseconds)
                        writer.key("attributes")
                        writer.value(.object(event.attributes))
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension SpanRecord {
    fileprivate init(_ row: Row) throws {
        let details = try JSONDecoder().decode(
            SpanDetails.self, from: Data(try row.get("details", as: String.self).utf8))
        self.init(
            traceID: try row.get("trace_id"), spanID: try row.get("span_id"),
            parentSpanID: try row.get("parent_span_id"), service: try row.get("service"), name: try row.get("name"),
            kind: try row.get("kind"), startNanoseconds: try row.get("started_at_ns"),
            endNanoseconds: try row.get("ended_at_ns"), status: try row.get("status"),
            statusMessage: try row.get("status_message"), attributes: details.attributes,
            events: details.events ?? [])
    }
}
