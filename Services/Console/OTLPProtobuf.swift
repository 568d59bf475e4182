import Telemetry

/// OTLP's `ExportTraceServiceRequest` in Protocol Buffers (opentelemetry-proto, `trace/v1/trace.proto` and
/// `common/v1/common.proto`). Only what is shown is read; the rest is skipped, as the format has it.
enum OTLPProtobuf {
    private typealias Bytes = ArraySlice<UInt8>
    private typealias Malformed = ProtobufReader.Malformed

    /// Attributes may hold lists of lists; nobody's go deeper.
    private static let deepest = 16

    static func spans(in body: [UInt8]) throws -> SpanBatch {
        var batch = SpanBatch()
        try fields(of: body[...]) { number, value in
            if number == 1 { try resourceSpans(value, into: &batch) }
        }
        return batch
    }

    private static func resourceSpans(_ value: ProtobufReader.Value, into batch: inout SpanBatch) throws {
        var scopes: [Bytes] = []
        var resource: [String: JSONValue] = [:]
        try fields(of: try value.message) { number, value in
            switch number {
            case 1: try attributes(in: try value.message, field: 1, into: &resource)
            case 2: scopes.append(try value.message)
            default: break
            }
        }
        let service = resource["service.name"]?.string ?? "unknown"
        for scope in scopes {
            try fields(of: scope) { number, value in
                guard number == 2 else { return }
                if let span = try span(try value.message, service: service) {
                    batch.spans.append(span)
                } else {
                    batch.rejected += 1
                }
            }
        }
    }

    private static func span(_ message: Bytes, service: String) throws -> SpanRecord? {
        var span = SpanRecord(
            traceID: "", spanID: "", service: service, name: "", kind: .unspecified, startNanoseconds: 0,
            endNanoseconds: 0, status: .unset, attributes: [:], events: [])
        try fields(of: message) { number, value in
            switch number {
            case 1: span.traceID = HexID.hex(try value.message)
            case 2: span.spanID = HexID.hex(try value.message)
            case 4: span.parentSpanID = HexID.span(HexID.hex(try value.message))
            case 5: span.name = try value.text
            case 6: span.kind = .init(otlp: try value.integer)
            case 7: span.startNanoseconds = try value.nanoseconds
            case 8: span.endNanoseconds = try value.nanoseconds
            case 9: try attribute(try value.message, into: &span.attributes, depth: 0)
            case 11: span.events.append(try event(try value.message))
            case 15: try status(try value.message, of: &span)
            default: break
            }
        }
        guard HexID.trace(span.traceID) != nil, HexID.span(span.spanID) != nil else { return nil }
        return span
    }

    private static func event(_ message: Bytes) throws -> SpanRecord.Event {
        var event = SpanRecord.Event(name: "", nanoseconds: 0, attributes: [:])
        try fields(of: message) { number, value in
            switch number {
            case 1: event.nanoseconds = try value.nanoseconds
            case 2: event.name = try value.text
            case 3: try attribute(try value.message, into: &event.attributes, depth: 0)
            default: break
            }
        }
        return event
    }

    private static func status(_ message: Bytes, of span: inout SpanRecord) throws {
        var (text, code) = ("", 0)
        try fields(of: message) { number, value in
            switch number {
            case 2: text = try value.text
            case 3: code = try value.integer
            default: break
            }
        }
        span.status = .init(otlp: code)
        span.statusMessage = text.isEmpty ? nil : text
    }

    // MARK: Attributes

    private static func attributes(
        in message: Bytes, field: Int, into attributes: inout [String: JSONValue], depth: Int = 0
    ) throws {
        try fields(of: message) { number, value in
            if number == field { try attribute(try value.message, into: &attributes, depth: depth) }
        }
    }

    private static func attribute(_ message: Bytes, into attributes: inout [String: JSONValue], depth: Int) throws {
        var (name, content) = ("", JSONValue.null)
        try fields(of: message) { number, value in
            switch number {
            case 1: name = try value.text
            case 2: content = try anyValue(try value.message, depth: depth)
            default: break
            }
        }
        attributes[name] = content
    }

    private static func anyValue(_ message: Bytes, depth: Int) throws -> JSONValue {
        guard depth < deepest else { throw Malformed() }
        var content = JSONValue.null
        try fields(of: message) { number, value in
            switch (number, value) {
            case (1, .bytes(let bytes)): content = .string(String(decoding: bytes, as: UTF8.self))
            case (2, .varint(let bits)): content = .bool(bits != 0)
            case (3, .varint(let bits)): content = .integer(Int64(bitPattern: bits))
            case (4, .fixed64(let bits)): content = .double(Double(bitPattern: bits))
            case (5, .bytes(let bytes)):
                var values: [JSONValue] = []
                try fields(of: bytes) { number, value in
                    if number == 1 { values.append(try anyValue(try value.message, depth: depth + 1)) }
                }
                content = .array(values)
            case (6, .bytes(let bytes)):
                var members: [String: JSONValue] = [:]
                try attributes(in: bytes, field: 1, into: &members, depth: depth + 1)
                content = .object(members)
            case (7, .bytes(let bytes)): content = .string(HexID.hex(bytes))
            default: break
            }
        }
        return content
    }

    private static func fields(of message: Bytes, _ body: (Int, ProtobufReader.Value) throws -> Void) throws {
        var reader = ProtobufReader(message)
        while let (number, value) = try reader.next() { try body(number, value) }
    }
}

extension ProtobufReader.Value {
    fileprivate var message: ArraySlice<UInt8> {
        get throws(ProtobufReader.Malformed) {
            guard case .bytes(let bytes) = self else { throw ProtobufReader.Malformed() }
            return bytes
        }
    }

    fileprivate var text: String {
        get throws(ProtobufReader.Malformed) { String(decoding: try message, as: UTF8.self) }
    }

    fileprivate var integer: Int {
        get throws(ProtobufReader.Malformed) {
            guard case .varint(let bits) = self else { throw ProtobufReader.Malformed() }
            return Int(truncatingIfNeeded: bits)
        }
    }

    fileprivate var nanoseconds: Int64 {
        get throws(ProtobufReader.Malformed) {
            guard case .fixed64(let bits) = self else { throw ProtobufReader.Malformed() }
            return Int64(clamping: bits)
        }
    }
}
