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
            let export = try JSONDecoder().decode(TraceExport.self, from: Data(body.readableBytesView))
            for span in export.spans { spans.record(span) }
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

/// OTLP's JSON, as far as the tests look at it.
private struct TraceExport: Decodable {
    struct Attribute: Decodable {
        struct Value: Decodable {
            let stringValue: String?
            let intValue: String?
            let boolValue: Bool?
        }

        let key: String
        let value: Value

        var text: String? { value.stringValue ?? value.intValue ?? value.boolValue.map { "\($0)" } }
    }

    struct Resource: Decodable {
        let attributes: [Attribute]
    }

    struct Span: Decodable {
        let traceId: String
        let spanId: String
        let parentSpanId: String?
        let name: String
        let attributes: [Attribute]?
    }

    struct Scope: Decodable {
        let spans: [Span]
    }

    struct ResourceSpans: Decodable {
        let resource: Resource
        let scopeSpans: [Scope]
    }

    let resourceSpans: [ResourceSpans]

    var spans: [ReceivedSpan] {
        resourceSpans.flatMap { part in
            let service = part.resource.attributes.first { $0.key == "service.name" }?.text ?? ""
            return part.scopeSpans.flatMap(\.spans).map { span in
                let pairs = (span.attributes ?? []).compactMap { pair in pair.text.map { (pair.key, $0) } }
                return ReceivedSpan(
                    service: service, traceId: span.traceId, spanId: span.spanId, parentSpanId: span.parentSpanId,
                    name: span.name, text: Dictionary(pairs, uniquingKeysWith: { $1 }))
            }
        }
    }
}
