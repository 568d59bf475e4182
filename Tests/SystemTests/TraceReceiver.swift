import Contracts
import Foundation
import Hummingbird
import NIOCore
import TestSupport

/// Takes the spans that the services export, as a collector would.
final class TraceReceiver: Sendable {
    let spans = Probe<ReceivedSpan>()

    /// Answers on a port, once it is run.
    func server(port: Int) -> some ApplicationProtocol {
        let router = Router()
        router.post("/v1/traces") { [spans] request, _ in
            let body = try await request.body.collect(upTo: 64 << 20)
            for span in try ReceivedSpan.all(in: body.readableBytesView) { spans.record(span) }
            return HTTPResponse.Status.ok
        }
        return Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: .silent)
    }

    /// The spans of the trace that a request began.
    func trace(correlationID: String) -> Trace {
        let all = spans.values
        let ids = Set(all.filter { $0.text["shop.correlation_id"] == correlationID }.map(\.traceId))
        return Trace(spans: all.filter { ids.contains($0.traceId) })
    }
}

struct ReceivedSpan: Equatable, Sendable {
    let service: String
    let traceId: String
    let spanId: String
    let parentSpanId: String?
    let name: String
    /// The attributes that are texts or numbers, as text.
    let text: [String: String]
}

/// All spans with one trace id, or with several if something came apart.
struct Trace: Sendable {
    let spans: [ReceivedSpan]

    func named(_ name: String, in service: Program? = nil) -> [ReceivedSpan] {
        spans.filter { $0.name == name && (service == nil || $0.service == service?.rawValue) }
    }

    /// Spans without a parent.
    var roots: [ReceivedSpan] { spans.filter { $0.parentSpanId == nil } }

    /// Spans whose parent hasn't come: it is still open, or the trace has a gap.
    var orphans: [ReceivedSpan] {
        let ids = Set(spans.map(\.spanId))
        return spans.filter { span in span.parentSpanId.map { !ids.contains($0) } ?? false }
    }

    /// Events that were sent and not handled by each of those who subscribed.
    var unheard: [String] {
        let sent = spans.filter { $0.name.hasPrefix("send ") }.compactMap { $0.text["shop.message.type"] }
        return Set(sent).flatMap { type in
            Topology.shop.subscriptions.filter { $0.types.contains(type) }.compactMap { subscription in
                let isHandled = spans.contains {
                    $0.service == subscription.queue.rawValue && $0.name == "handle \(type)"
                }
                return isHandled ? nil : "\(type) by \(subscription.queue)"
            }
        }
    }
}

extension ReceivedSpan {
    /// The spans of an `ExportTraceServiceRequest`, as far as the tests look at it.
    static func all(in body: some Sequence<UInt8>) throws -> [ReceivedSpan] {
        try ProtobufMessage(body).messages(1).flatMap { resource in
            let service = try resource.messages(1).first.map { try attributes($0, field: 1) }?["service.name"] ?? ""
            return try resource.messages(2, 2).map { span in
                ReceivedSpan(
                    service: service, traceId: span.hex(1) ?? "", spanId: span.hex(2) ?? "", parentSpanId: span.hex(4),
                    name: span.text(5) ?? "", text: try attributes(span, field: 9))
            }
        }
    }

    private static func attributes(_ message: ProtobufMessage, field: Int) throws -> [String: String] {
        let pairs = try message.messages(field).compactMap { pair -> (String, String)? in
            guard let key = pair.text(1), let value = try pair.messages(2).first else { return nil }
            let truth = value.number(2).map { $0 == 0 ? "false" : "true" }
            let number = value.number(3).map { String(Int64(bitPattern: $0)) }
            return (value.text(1) ?? truth ?? number).map { (key, $0) }
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }
}
