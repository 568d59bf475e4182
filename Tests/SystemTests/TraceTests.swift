import Contracts
import Foundation
import Testing

extension SystemTests {
    /// One order is one trace.
    @Suite("Traces", .stack(paymentTimeoutSeconds: 60, recordsTraces: true), .logs, .timeLimit(.minutes(2)))
    struct TraceTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        /// The trace, once nothing in it is open and everything that was sent was heard.
        private func wholeTrace(_ correlationID: String, has names: Set<String>) async throws -> Trace {
            var last = Trace(spans: [])
            do {
                return try await eventually("the trace is whole") {
                    last = stack.traces.trace(correlationID: correlationID)
                    let isWhole =
                        last.roots.count == 1 && last.orphans.isEmpty && last.unheard.isEmpty
                        && names.isSubset(of: last.spans.map(\.name))
                    return isWhole ? last : nil
                }
            } catch {
                throw SystemTestError(
                    """
                    \(error): \(last.spans.count) spans, roots \(last.roots.map(\.name)), \
                    without their parent \(last.orphans.map { "\($0.service): \($0.name)" }), \
                    unheard \(last.unheard), missing \(names.subtracting(last.spans.map(\.name)))
                    """)
            }
        }

        @Test("An order's trace begins with its request, goes through every service, and has no gap") func whole()
            async throws
        {
            let id = "whole-\(UUID().uuidString)"
            let order = try await shop.place(NewOrder(by: "traced", "MUG-ENAMEL", paying: .flaky), correlationID: id)
            try await shop.expect(order.orderId, leaves: .confirmed(points: 14))
            let trace = try await wholeTrace(
                id,
                has: [
                    "POST /orders", "COMMIT", "send order-events", "process inventory", "handle shop.order.placed.v1",
                    "saga reserved", "saga confirmed", "send payment", "perform payment-webhook",
                    "POST /webhooks/payments", "send inventory-events", "send loyalty-events", "process notification",
                ])
            #expect(trace.roots.map(\.name) == ["POST /orders"])
            #expect(Set(trace.spans.map(\.traceId)).count == 1)
            #expect(Set(trace.spans.map(\.service)) == Set(Program.services.map(\.rawValue)))
            #expect(trace.spans.filter { $0.text["shop.correlation_id"] != id } == [])
            #expect(Set(trace.spans.map(\.spanId)).count == trace.spans.count)
            try await eventually("the gateway's third answer was heard") {
                let calls = stack.traces.trace(correlationID: id).named("perform charge-at-gateway", in: .payment)
                return calls.compactMap { $0.text["shop.effect.attempt"] }.sorted() == ["1", "2", "3"]
            }
            for span in trace.spans where span.name.hasPrefix("process ") {
                #expect(span.text["shop.delivery.attempt"] == "1")
                #expect(span.text["shop.delivery.waited_ms"] != nil)
            }
            for span in trace.spans where span.name.hasPrefix("send ") {
                #expect(span.text["shop.outbox.waited_ms"] != nil)
            }
            #expect(trace.named("saga confirmed").first?.text["shop.saga.from"] == "reserved")
        }

        @Test("Retries, a dead letter, its redrive and a redelivery are in the trace of their order") func troubled()
            async throws
        {
            let id = "troubled-\(UUID().uuidString)"
            let order = try await shop.place(NewOrder(by: "troubled", "MUG-ENAMEL", paying: .silent), correlationID: id)
            _ = try await shop.follow(order.orderId, until: ["reserved"])
            let placed = try #require(await stack.traces.spans.first { $0.text["shop.correlation_id"] == id })
            // Goods that are on their way before they are paid: an error, and none that can't go away.
            let event = CloudEvent(
                attributes: EventAttributes(
                    id: UUIDv7.make(), source: "/services/system-tests", type: ShipmentStatusChanged.type,
                    subject: order.orderId.rawValue, time: Date(), correlationid: id,
                    traceparent: "00-\(placed.traceId)-\(placed.spanId)-01"),
                data: ShipmentStatusChanged(orderId: order.orderId, customerId: "troubled", status: .shipped))
            let body = try ContractJSON.encode(event)
            let broker = BrokerAPI(stack: stack)
            try await broker.send(body, type: event.attributes.type, to: .queue(.order))
            let letters = try await eventually("the event is a dead letter") {
                let letters = try await broker.drain(Queue.order.deadLetters)
                return letters.isEmpty ? nil : letters
            }
            let webhook = try SignedWebhook(
                PaymentWebhook(
                    type: .succeeded, timestamp: Date(),
                    data: .init(orderId: order.orderId, chargeId: .make(), amount: order.total)),
                secret: stack.webhookSecret)
            #expect(try await webhook.send(to: shop).status == 204)
            _ = try await shop.follow(order.orderId, until: ["confirmed"])
            for _ in 1...2 {
                for letter in letters { try await broker.send(letter.body, to: .queue(.order)) }
            }
            _ = try await shop.follow(order.orderId, until: ["shipped"])
            let trace = try await wholeTrace(id, has: ["retry order", "dead_letter order", "saga shipped"])
            #expect(trace.named("retry order").count == 4)
            #expect(trace.named("dead_letter order").count == 1)
            let reasons = (trace.named("retry order") + trace.named("dead_letter order")).map {
                $0.text["shop.settle.reason"] ?? ""
            }
            #expect(reasons.allSatisfy { $0.contains("reserved can't become shipped") })
            try await eventually("the second redrive is an inbox hit") {
                stack.traces.trace(correlationID: id).spans.contains { $0.text["shop.inbox.hit"] == "true" }
            }
        }
    }
}
