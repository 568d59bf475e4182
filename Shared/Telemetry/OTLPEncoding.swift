import Tracing

/// OTLP's `ExportTraceServiceRequest` in Protocol Buffers (opentelemetry-proto, `trace/v1/trace.proto` and
/// `common/v1/common.proto`): the format in which OpenTelemetry's SDKs export unless told otherwise, and far less work than
/// its JSON at both ends.
struct OTLPEncoding {
    /// Who sends: `service.name` and the like.
    let resource: [(String, String)]

    func request(_ spans: [FinishedSpan]) -> [UInt8] {
        var request = ProtobufWriter(capacity: 512 * (spans.count + 1))
        request.message(1) { resourceSpans in
            resourceSpans.message(1) { resource in
                for (key, value) in self.resource { resource.attribute(1, key, .string(value)) }
            }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) { $0.string(1, "async-shop") }
                for span in spans { scopeSpans.message(2) { $0.span(span) } }
            }
        }
        return request.bytes
    }
}

extension ProtobufWriter {
    fileprivate mutating func span(_ span: FinishedSpan) {
        self.ids(1, span.spanContext)
        if let tracestate = span.spanContext.tracestate { self.string(3, tracestate) }
        if let parent = span.parentSpanID { self.bigEndian(4, parent.value) }
        self.string(5, span.name)
        self.integer(6, span.kind.otlp)
        self.fixed64(7, span.startNanoseconds)
        self.fixed64(8, span.endNanoseconds)
        self.attributes(9, span.attributes)
        for event in span.events {
            self.message(11) { message in
                message.fixed64(1, event.nanosecondsSinceEpoch)
                message.string(2, event.name)
                message.attributes(3, event.attributes)
            }
        }
        for link in span.links {
            guard let target = link.context.spanContext else { continue }
            self.message(13) { message in
                message.ids(1, target)
                message.attributes(4, link.attributes)
            }
        }
        if let status = span.status {
            self.message(15) { message in
                if let text = status.message { message.string(2, text) }
                message.integer(3, status.code == .ok ? 1 : 2)
            }
        }
    }

    /// `trace_id` and, in the field after it, `span_id`.
    private mutating func ids(_ field: Int, _ context: SpanContext) {
        self.bigEndian(field, context.traceID.high, context.traceID.low)
        self.bigEndian(field + 1, context.spanID.value)
    }

    private mutating func attributes(_ field: Int, _ attributes: SpanAttributes) {
        attributes.forEach { self.attribute(field, $0, $1) }
    }

    /// A `KeyValue`.
    fileprivate mutating func attribute(_ field: Int, _ key: String, _ value: SpanAttribute) {
        self.message(field) { pair in
            pair.string(1, key)
            pair.message(2) { $0.anyValue(value) }
        }
    }

    /// The one field of an `AnyValue`.
    private mutating func anyValue(_ value: SpanAttribute) {
        switch value {
        case .int32(let number): self.integer(3, Int64(number))
        case .int64(let number): self.integer(3, number)
        case .double(let number): self.double(4, number)
        case .bool(let truth): self.integer(2, truth ? 1 : 0)
        case .string(let text): self.string(1, text)
        case .stringConvertible(let other): self.string(1, other.description)
        case .int32Array(let values): self.values(values.lazy.map { .int32($0) })
        case .int64Array(let values): self.values(values.lazy.map { .int64($0) })
        case .doubleArray(let values): self.values(values.lazy.map { .double($0) })
        case .boolArray(let values): self.values(values.lazy.map { .bool($0) })
        case .stringArray(let values): self.values(values.lazy.map { .string($0) })
        case .stringConvertibleArray(let values): self.values(values.lazy.map { .stringConvertible($0) })
        default: break
        }
    }

    private mutating func values(_ values: some Sequence<SpanAttribute>) {
        self.message(5) { list in
            for value in values { list.message(1) { $0.anyValue(value) } }
        }
    }
}

extension SpanKind {
    fileprivate var otlp: Int64 {
        switch self {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}
