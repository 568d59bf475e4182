import Foundation

/// Puts together all that there is to know about one order or request.
struct TimelineDesk: Sendable {
    let store: TraceStore
    let orders: OrderSearch
    let logs: LogFolder?

    /// A timeline with what others say of it.
    struct Report: Encodable, Sendable {
        var timeline: Timeline
        /// The order as its service tells it, with the saga's states in its `history`.
        var order: JSONValue?
        var logs: [JSONValue]
        /// What could not be asked.
        var notes: [String]
    }

    /// - Parameter id: an order's id, a correlation id or a trace id.
    /// - Returns: `nil` if nobody has heard of it.
    func report(on id: String) async throws -> Report? {
        var notes: [String] = []
        var subject = try await store.subject(of: id)
        var order: JSONValue?
        do {
            order = try await orders.order(subject.orderID ?? id)
            if order == nil, let found = try await orders.find(id).orders.first { order = found }
        } catch let away as ShopServices.Away {
            notes.append(away.description)
        }
        if let order, let orderID = order["orderId"]?.string, let correlation = order["correlationId"]?.string {
            // The next one who asks by the order's id finds its traces, also while order is away.
            try await store.note(order: orderID, correlation: correlation)
            subject = try await store.subject(of: correlation)
            subject.orderID = orderID
            subject.correlationID = correlation
        }
        let timeline = Timeline(try await store.spans(of: subject.traceIDs), subject: subject)
        var lines: [JSONValue] = []
        if let id = subject.correlationID, let logs { lines = await logs.lines(correlationID: id) }
        guard order != nil || !timeline.spans.isEmpty || !lines.isEmpty else { return nil }
        return Report(timeline: timeline, order: order, logs: lines, notes: notes)
    }

    /// Something that differs whenever a report would.
    func version(of id: String) async throws -> String {
        let subject = try await store.subject(of: id)
        let order = try? await orders.order(subject.orderID ?? id)
        let correlation = order?["correlationId"]?.string ?? subject.correlationID
        let spans = try await store.subject(of: correlation ?? id).spanCount
        guard case .array(let history)? = order?["history"] else { return "\(spans)" }
        return "\(spans)-\(history.count)"
    }
}
