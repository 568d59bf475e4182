import Foundation

/// OTLP's `ExportTraceServiceRequest` in JSON (OTLP specification, "JSON Protobuf Encoding"): ids in hexadecimal,
/// 64-bit integers as strings or numbers, enumerations as numbers. What is unknown is ignored.
enum OTLPJSON {
    static func spans(in body: Data) throws -> SpanBatch {
        let request = try JSONDecoder().decode(Request.self, from: body)
        var batch = SpanBatch()
        for resource in request.resourceSpans ?? [] {
            let service = JSONValue.attributes(resource.resource?.attributes)["service.name"]?.string ?? "unknown"
            for span in (resource.scopeSpans ?? []).flatMap({ $0.spans ?? [] }) {
                if let record = SpanRecord(span, service: service) {
                    batch.spans.append(record)
                } else {
                    batch.rejected += 1
                }
            }
        }
        return batch
    }

    fileprivate struct Request: Decodable {
        let resourceSpans: [ResourceSpans]?
    }

    fileprivate struct ResourceSpans: Decodable {
        let resource: Resource?
        let scopeSpans: [ScopeSpans]?
    }

    fileprivate struct Resource: Decodable {
        let attributes: [KeyValue]?
    }

    fileprivate struct ScopeSpans: Decodable {
        let spans: [Span]?
    }

    fileprivate struct Span: Decodable {
        let traceId: String?
        let spanId: String?
        let parentSpanId: String?
        let name: String?
        let kind: Int?
        let startTimeUnixNano: Integer?
        let endTimeUnixNano: Integer?
        let attributes: [KeyValue]?
        let events: [Event]?
        let status: Status?
    }

    fileprivate struct Event: Decodable {
        let name: String?
        let timeUnixNano: Integer?
        let attributes: [KeyValue]?
    }

    fileprivate struct Status: Decodable {
        let code: Int?
        let message: String?
    }

    fileprivate struct KeyValue: Decodable {
        let key: String
        let value: AnyValue?
    }

    fileprivate struct AnyValue: Decodable {
        struct Array: Decodable {
            let values: [AnyValue]?
        }
        struct Members: Decodable {
            let values: [KeyValue]?
        }

        let stringValue: String?
        let boolValue: Bool?
        let intValue: Integer?
        let doubleValue: JSONValue?
        let arrayValue: Array?
        let kvlistValue: Members?
        let bytesValue: String?
    }

    fileprivate struct Integer: Decodable {
        let value: Int64

        /// Times are unsigned; one below 0 is nobody's.
        var nanoseconds: Int64 { max(0, value) }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int64.self) {
                value = number
            } else if let number = Int64(try container.decode(String.self)) {
                value = number
            } else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "must be a whole number")
            }
        }
    }
}

extension SpanRecord {
    fileprivate init?(_ span: OTLPJSON.Span, service: String) {
        guard let traceID = HexID.trace(span.traceId ?? ""), let spanID = HexID.span(span.spanId ?? "") else {
            return nil
        }
        self.init(
            traceID: traceID, spanID: spanID, parentSpanID: HexID.span(span.parentSpanId ?? ""), service: service,
            name: span.name ?? "", kind: .init(otlp: span.kind ?? 0),
            startNanoseconds: span.startTimeUnixNano?.nanoseconds ?? 0,
            endNanoseconds: span.endTimeUnixNano?.nanoseconds ?? 0,
            status: .init(otlp: span.status?.code ?? 0),
            statusMessage: span.status?.message.flatMap { $0.isEmpty ? nil : $0 },
            attributes: JSONValue.attributes(span.attributes),
            events: (span.events ?? []).map { event in
                Event(
                    name: event.name ?? "", nanoseconds: event.timeUnixNano?.nanoseconds ?? 0,
                    attributes: JSONValue.attributes(event.attributes))
            })
    }
}

extension JSONValue {
    fileprivate static func attributes(_ list: [OTLPJSON.KeyValue]?) -> [String: JSONValue] {
        Dictionary((list ?? []).map { ($0.key, JSONValue($0.value)) }) { _, last in last }
    }

    fileprivate init(_ value: OTLPJSON.AnyValue?) {
        if let text = value?.stringValue ?? value?.bytesValue {
            self = .string(text)
        } else if let truth = value?.boolValue {
            self = .bool(truth)
        } else if let number = value?.intValue {
            self = .integer(number.value)
        } else if let number = value?.doubleValue {
            self = number
        } else if let list = value?.arrayValue {
            self = .array((list.values ?? []).map { JSONValue($0) })
        } else if let members = value?.kvlistValue {
            self = .object(JSONValue.attributes(members.values))
        } else {
            self = .null
        }
    }
}
