import Contracts
import Foundation
import Metrics
import Tracing

/// Makes visible how the saga moves.
enum SagaTelemetry {
    /// Notes a transition that is on disk: a span in the trace of what brought it about, and how long the order took to
    /// where it is now.
    static func note(_ order: Order, from before: Order.Status, context: ServiceContext) {
        let span = startSpan("saga \(order.status)", context: context)
        span.updateAttributes {
            $0["shop.order_id"] = order.id.rawValue
            $0["shop.saga.from"] = before.rawValue
            $0["shop.saga.to"] = order.status.rawValue
            $0["shop.saga.reason"] = order.reason?.rawValue
        }
        span.end()
        guard let first = order.history.first, let last = order.history.last else { return }
        Metrics.Timer(label: "saga.duration", dimensions: [("status", order.status.rawValue)])
            .recordNanoseconds(Int64(max(0, last.at.timeIntervalSince(first.at)) * 1e9))
    }
}
