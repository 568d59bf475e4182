import Foundation

/// An order, or any other traced request, as a waterfall: its spans in the order of a tree, with what there is to say
/// about each. A pure function of what was recorded.
struct Timeline: Encodable, Equatable, Sendable {
    struct Span: Encodable, Equatable, Sendable {
        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var service: String
        var name: String
        var kind: SpanRecord.Kind
        /// How deep it is in the tree; 0 at a root.
        var depth: Int
        /// Since the timeline's start.
        var startMicroseconds: Int64
        var durationMicroseconds: Int64
        /// How long its message had waited before it, in the outbox or in the queue.
        var waitMicroseconds: Int64?
        /// Which delivery of the message, or which try of the call, this was.
        var attempt: Int64?
        var mark: Mark?
        /// Its parent isn't among the spans: not received, not yet ended or lost.
        var isOrphan: Bool?
        var status: SpanRecord.Status
        var statusMessage: String?
        var attributes: [String: JSONValue]
        var events: [Event]
    }

    struct Event: Encodable, Equatable, Sendable {
        var name: String
        /// Since the timeline's start.
        var atMicroseconds: Int64
        var attributes: [String: JSONValue]
    }

    /// What makes a span worth a second look.
    enum Mark: String, Encodable, Sendable {
        /// It failed.
        case error
        /// Its message failed and comes again.
        case retried
        /// Its message is among the dead letters.
        case deadLettered
        /// Its message had been handled before and was skipped.
        case duplicate
    }

    var correlationId: String?
    var orderId: String?
    var traceIds: [String]
    var startedAt: Date?
    var durationMicroseconds: Int64
    /// In the order in which they came in.
    var services: [String]
    var spans: [Span]
    /// There are more spans than are shown.
    var isTruncated: Bool
}

extension Timeline {
    init(_ records: [SpanRecord], subject: TraceStore.Subject) {
        let start = records.map(\.startNanoseconds).min() ?? 0
        let end = records.map(\.endNanoseconds).max() ?? 0
        correlationId = subject.correlationID
        orderId = subject.orderID
        traceIds = subject.traceIDs
        startedAt = records.isEmpty ? nil : Date(timeIntervalSince1970: Double(start) / 1e9)
        durationMicroseconds = max(0, end - start) / 1000
        spans = Self.tree(of: records).map { Span($0.record, depth: $0.depth, parent: $0.parent, start: start) }
        var seen: Set<String> = []
        services = spans.sorted { $0.startMicroseconds < $1.startMicroseconds }.map(\.service)
            .filter { seen.insert($0).inserted }
        isTruncated = subject.spanCount > records.count
    }

    private struct Node {
        let record: SpanRecord
        let depth: Int
        let parent: SpanRecord?
    }

    fileprivate struct Key: Hashable {
        let traceID: String
        let spanID: String
    }

    /// Depth first, siblings by their start. No recursion: a trace may be as deep as a chain of messages is long.
    private static func tree(of records: [SpanRecord]) -> [Node] {
        let sorted = records.sorted { ($0.startNanoseconds, $0.spanID) < ($1.startNanoseconds, $1.spanID) }
        let byKey = Dictionary(sorted.map { ($0.key, $0) }) { first, _ in first }
        let children = Dictionary(grouping: sorted.filter { $0.parentKey.map { byKey[$0] != nil } ?? false }) {
            $0.parentKey ?? $0.key
        }
        var stack = sorted.filter { $0.parentKey.map { byKey[$0] == nil } ?? true }.reversed().map {
            Node(record: $0, depth: 0, parent: nil)
        }
        var nodes: [Node] = []
        while let node = stack.popLast() {
            nodes.append(node)
            for child in (children[node.record.key] ?? []).reversed() {
                stack.append(Node(record: child, depth: node.depth + 1, parent: node.record))
            }
        }
        return nodes
    }
}

extension SpanRecord {
    fileprivate var key: Timeline.Key { Timeline.Key(traceID: traceID, spanID: spanID) }

    /// A span that names itself as its parent counts as a root.
    fileprivate var parentKey: Timeline.Key? {
        guard let parentSpanID, parentSpanID != spanID else { return nil }
        return Timeline.Key(traceID: traceID, spanID: parentSpanID)
    }
}

extension Timeline.Span {
    fileprivate init(_ record: SpanRecord, depth: Int, parent: SpanRecord?, start: Int64) {
        traceId = record.traceID
        spanId = record.spanID
        parentSpanId = record.parentSpanID
        service = record.service
        name = record.name
        kind = record.kind
        self.depth = depth
        startMicroseconds = (record.startNanoseconds - start) / 1000
        durationMicroseconds = max(0, record.endNanoseconds - record.startNanoseconds) / 1000
        status = record.status
        statusMessage = record.statusMessage
        attributes = record.attributes
        events = record.events.map { event in
            Timeline.Event(
                name: event.name, atMicroseconds: (event.nanoseconds - start) / 1000, attributes: event.attributes)
        }
        attempt =
            record.attributes["shop.delivery.attempt"]?.integer ?? record.attributes["shop.effect.attempt"]?.integer
        isOrphan = record.parentSpanID != nil && parent == nil ? true : nil
        mark = Timeline.Mark(record)
        waitMicroseconds = record.waitMicroseconds(after: parent).flatMap { $0 > 0 ? $0 : nil }
    }
}

extension SpanRecord {
    /// As its service has measured it. For spans of others, which don't say, it is taken to be the time since the end of
    /// the sending span.
    fileprivate func waitMicroseconds(after parent: SpanRecord?) -> Int64? {
        let names = ["shop.delivery.waited_ms", "shop.outbox.waited_ms"]
        if let measured = names.lazy.compactMap({ attributes[$0]?.integer }).first {
            return min(max(0, measured), .max / 1000) * 1000
        }
        guard kind == .consumer, let parent else { return nil }
        return (startNanoseconds - parent.endNanoseconds) / 1000
    }
}

extension Timeline.Mark {
    /// Telemetry says what became of a message in `shop.outcome`, or in an event of the same name.
    fileprivate init?(_ record: SpanRecord) {
        let words = Set([record.attributes["shop.outcome"]?.string].compactMap(\.self) + record.events.map(\.name))
        if !words.isDisjoint(with: ["dead_lettered", "dead_letter"]) {
            self = .deadLettered
        } else if !words.isDisjoint(with: ["retried", "retry"]) {
            self = .retried
        } else if !words.isDisjoint(with: ["duplicate", "inbox_hit"]) {
            self = .duplicate
        } else if record.status == .error {
            self = .error
        } else {
            return nil
        }
    }
}
