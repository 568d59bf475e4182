import Foundation
import Tracing

/// OTLP's JSON (opentelemetry-proto, `ExportTraceServiceRequest`; OTLP specification, "JSON Protobuf Encoding"):
/// ids in lowercase hexadecimal, 64-bit integers as strings, enumerations as numbers.
struct OTLPEncoding {
    /// Who sends: `service.name` and the like.
    let resource: [(String, String)]

    func request(_ spans: [FinishedSpan]) -> [UInt8] {
        var json = JSONWriter(capacity: 512 * (spans.count + 1))
        json.object { json in
            json.list("resourceSpans") { json in
                json.member("resource") { json in
                    json.list("attributes") { json in
                        for (key, value) in self.resource { json.attribute(key, .string(value)) }
                    }
                }
                json.list("scopeSpans") { json in
                    json.member("scope") { $0.field("name", "async-shop") }
                    json.key("spans")
                    json.array { json in
                        for span in spans { json.object { $0.span(span) } }
                    }
                }
            }
        }
        return json.bytes
    }
}

extension JSONWriter {
    /// A member that is an object.
    fileprivate mutating func member(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.key(name)
        self.object(body)
    }

    /// A member that is an array; for `attributes` the body writes the elements, else the one element's members.
    fileprivate mutating func list(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.key(name)
        self.array { array in
            if name == "attributes" { body(&array) } else { array.object(body) }
        }
    }

    fileprivate mutating func span(_ span: FinishedSpan) {
        self.field("traceId", span.spanContext.traceID.description)
        self.field("spanId", span.spanContext.spanID.description)
        if let parent = span.parentSpanID { self.field("parentSpanId", parent.description) }
        if let tracestate = span.spanContext.tracestate { self.field("traceState", tracestate) }
        self.field("name", span.name)
        self.key("kind")
        self.literal(span.kind.otlp)
        self.field("startTimeUnixNano", String(span.startNanoseconds))
        self.field("endTimeUnixNano", String(span.endNanoseconds))
        self.attributes(span.attributes)
        if !span.events.isEmpty {
            self.key("events")
            self.array { array in
                for event in span.events {
                    array.object { json in
                        json.field("timeUnixNano", String(event.nanosecondsSinceEpoch))
                        json.field("name", event.name)
                        json.attributes(event.attributes)
                    }
                }
            }
        }
        if !span.links.isEmpty {
            self.key("links")
            self.array { array in
                for link in span.links {
                    guard let target = link.context.spanContext else { continue }
                    array.object { json in
                        json.field("traceId", target.traceID.description)
                        json.field("spanId", target.spanID.description)
                        json.attributes(link.attributes)
                    }
                }
            }
        }
        if let status = span.status {
            self.member("status") { json in
                json.key("code")
                json.literal(status.code == .ok ? 1 : 2)
                if let message = status.message { json.field("message", message) }
            }
        }
    }

    fileprivate mutating func attributes(_ attributes: SpanAttributes) {
        guard !attributes.isEmpty else { return }
        self.list("attributes") { json in
            attributes.forEach { json.attribute($0, $1) }
        }
    }

    fileprivate mutating func attribute(_ key: String, _ value: SpanAttribute) {
        self.object { json in
            json.field("key", key)
            json.member("value") { $0.anyValue(value) }
        }
    }

    private mutating func anyValue(_ value: SpanAttribute) {
        switch value {
        case .int32(let number): self.field("intValue", String(number))
        case .int64(let number): self.field("intValue", String(number))
        case .double(let number):
            self.key("doubleValue")
            self.double(number)
        case .bool(let truth):
            self.key("boolValue")
            self.literal(truth)
        case .string(let text): self.field("stringValue", text)
        case .stringConvertible(let other): self.field("stringValue", other.description)
        case .int32Array(let values): self.values(values.map { .int32($0) })
        case .int64Array(let values): self.values(values.map { .int64($0) })
        case .doubleArray(let values): self.values(values.map { .double($0) })
        case .boolArray(let values): self.values(values.map { .bool($0) })
        case .stringArray(let values): self.values(values.map { .string($0) })
        case .stringConvertibleArray(let values): self.values(values.map { .stringConvertible($0) })
        default: break
        }
    }

    private mutating func values(_ values: [SpanAttribute]) {
        self.member("arrayValue") { json in
            json.key("values")
            json.array { array in
                for value in values { array.object { $0.anyValue(value) } }
            }
        }
    }

    /// Protobuf's JSON mapping writes what JSON has no number for as a string.
    private mutating func double(_ value: Double) {
        if value.isFinite {
            self.literal(value)
        } else {
            self.string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
        }
    }
}

extension SpanKind {
    fileprivate var otlp: Int {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}
