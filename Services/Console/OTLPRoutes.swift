import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Metrics
import NIOCore
import ServiceKit

/// The receiver of OTLP/HTTP (OpenTelemetry Protocol Specification, "OTLP/HTTP"): `POST /v1/traces` in JSON or
/// Protocol Buffers, plain or packed by gzip, answered in the same and plain.
struct OTLPRoutes: Sendable {
    let store: TraceStore

    /// As it is and unpacked. A batch of 512 spans with long attributes stays well below.
    static let largestRequest = 8 * 1024 * 1024

    private enum Format: String {
        case json = "application/json"
        case protobuf = "application/x-protobuf"
    }

    func add(to router: Router<ShopRequestContext>) {
        router.post("/v1/traces") { request, _ in try await receive(request) }
    }

    private func receive(_ request: Request) async throws -> Response {
        let mediaType = (request.headers[.contentType] ?? "").prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
        guard let format = Format(rawValue: mediaType.lowercased()) else {
            throw Problem.unsupportedMediaType(expected: "application/json or application/x-protobuf")
        }
        let body = try await Self.body(of: request)
        let batch = try Self.decode(body, format)
        do {
            try await store.add(batch.spans)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // The sender keeps them and tries again, as the specification's "Retryable Response Codes" has it.
            throw Problem.unavailable("The spans could not be stored: \(error)", retryAfterSeconds: 5)
        }
        Counter(label: "console.spans.received").increment(by: batch.spans.count)
        Counter(label: "console.spans.rejected").increment(by: batch.rejected)
        return Self.answer(rejected: batch.rejected, format)
    }

    /// The body as it was before the sender packed it.
    private static func body(of request: Request) async throws -> ByteBuffer {
        let coding = request.headers[.contentEncoding]?.trimmingCharacters(in: .whitespaces).lowercased() ?? "identity"
        guard ["identity", "gzip", "x-gzip"].contains(coding) else {
            throw Problem(
                .unsupportedMediaType, kind: "unsupported-content-encoding", title: "Unsupported content encoding",
                detail: "Send the body with Content-Encoding gzip or none (OTEL_EXPORTER_OTLP_COMPRESSION).",
                field: "Content-Encoding", headers: [.acceptEncoding: "gzip, identity"])
        }
        let body = try await request.bytes(maxBytes: largestRequest)
        guard coding != "identity" else { return body }
        do {
            return try Gzip.unpack(body, atMost: largestRequest)
        } catch Gzip.Failure.tooLarge {
            throw Problem.tooLarge(limit: largestRequest)
        } catch {
            throw Problem.malformed("The body isn't gzip or is damaged; send it again, or without Content-Encoding.")
        }
    }

    private static func decode(_ body: ByteBuffer, _ format: Format) throws -> SpanBatch {
        do {
            switch format {
            case .json: return try OTLPJSON.spans(in: Data(body.readableBytesView))
            case .protobuf: return try OTLPProtobuf.spans(in: Array(body.readableBytesView))
            }
        } catch {
            throw Problem.malformed("The body is no ExportTraceServiceRequest in \(format.rawValue).")
        }
    }

    /// `ExportTraceServiceResponse`, which is empty unless part of the spans was of no use.
    private static func answer(rejected: Int, _ format: Format) -> Response {
        let reason = "Spans without a valid trace id and span id can't be kept."
        let bytes: ByteBuffer
        switch format {
        case .json where rejected == 0: bytes = ByteBuffer(string: "{}")
        case .json:
            bytes = ByteBuffer(
                string: #"{"partialSuccess":{"rejectedSpans":"\#(rejected)","errorMessage":"\#(reason)"}}"#)
        case .protobuf where rejected == 0: bytes = ByteBuffer()
        case .protobuf:
            // Field 1 is partial_success, a message of 1: rejected_spans and 2: error_message.
            var partial: [UInt8] = [0x08] + varint(rejected)
            partial += [0x12] + varint(reason.utf8.count) + Array(reason.utf8)
            bytes = ByteBuffer(bytes: [0x0a] + varint(partial.count) + partial)
        }
        return Response(
            status: .ok, headers: [.contentType: format.rawValue], body: .init(byteBuffer: bytes))
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var (rest, bytes) = (UInt(number), [UInt8]())
        while rest > 0x7f {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
