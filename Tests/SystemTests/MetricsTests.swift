import Contracts
import Foundation
import Testing

extension SystemTests {
    /// What the programs tell of themselves in numbers.
    @Suite(
        "Metrics", .stack(starting: Program.watched, paymentTimeoutSeconds: 300), .logs, .timeLimit(.minutes(5)))
    struct MetricsTests {
        @Test("Prometheus scrapes every program, and its numbers are those of what has happened") func scraped()
            async throws
        {
            let stack = try currentStack()
            try await Prometheus.watching(stack) { prometheus in
                try await eventually("all targets are up") {
                    let targets = try await prometheus.targets()
                    return targets.count == Program.watched.count && targets.allSatisfy { $0.health == "up" }
                }
                try await waitInOutbox(stack, prometheus)
                try await settle(stack)
                try await checkHTTP(prometheus)
                try await checkMessaging(prometheus)
                try await checkStorage(prometheus)
                #expect(try await prometheus.samples(#"{otel_metric_overflow="true"}"#).isEmpty)
            }
        }

        /// Without the broker an order stays in the outbox, which is seen, and so is the broker's absence.
        private func waitInOutbox(_ stack: Stack, _ prometheus: Prometheus) async throws {
            let shop = ShopAPI(stack: stack)
            try await stack.kill(.broker)
            let order = try await shop.place(NewOrder(by: "offline", "MUG-ENAMEL", paying: .ok))
            try await prometheus.expect(#"up{job="broker"}"#) { $0 == 0 }
            try await prometheus.expect(#"outbox_depth{job="order"}"#) { $0 >= 1 }
            try await prometheus.expect(#"outbox_oldest_age_seconds{job="order"}"#) { (0.5...60).contains($0) }
            stack.start(.broker)
            _ = try await shop.follow(order.orderId, until: ["confirmed"])
            try await prometheus.expect(#"outbox_depth{job="order"}"#) { $0 == 0 }
            try await prometheus.expect(#"outbox_oldest_age_seconds{job="order"}"#) { $0 == 0 }
        }

        /// Two more orders that are confirmed and one that is declined; a message that comes twice; one that can't be read;
        /// and one that fails five times, for the order that it is about is not paid.
        private func settle(_ stack: Stack) async throws {
            let (shop, broker) = (ShopAPI(stack: stack), BrokerAPI(stack: stack))
            for (method, end) in [(.ok, "confirmed"), (.flaky, "confirmed"), (.declined, "cancelled")]
                as [(PaymentMethod, String)]
            {
                let order = try await shop.place(NewOrder(by: "measured", "MUG-ENAMEL", paying: method))
                _ = try await shop.follow(order.orderId, until: [end])
            }
            let confirmed = OrderConfirmed(
                orderId: "order-1", customer: Customer(id: "twice", email: "twice@example.com"), items: [],
                total: Money(amountMinorUnits: 1998, currency: "EUR"))
            let event = try CloudEvent.sample(confirmed, id: "twice").json()
            for _ in 1...2 { try await broker.send(event, type: OrderConfirmed.type, to: .queue(.loyalty)) }
            try await broker.send("Dear shop", to: .queue(.email))
            let unpaid = try await shop.place(NewOrder(by: "silent", "MUG-ENAMEL", paying: .silent))
            _ = try await shop.follow(unpaid.orderId, until: ["reserved"])
            try await broker.deliver(
                ShipmentStatusChanged(orderId: unpaid.orderId, customerId: "silent", status: .shipped), to: .order)
            try await eventually("it is a dead letter") {
                try await broker.counts(of: Queue.order.deadLetters).visible == 1
            }
            try await broker.waitUntilQuiet()
        }

        private func checkHTTP(_ prometheus: Prometheus) async throws {
            let orders = #"job="order",http_route="/orders",http_request_method="POST""#
            try await prometheus.expect(
                "http_server_request_duration_seconds_count{\(orders),http_response_status_code=\"202\"}"
            ) { $0 == 5 }
            try await prometheus.expect("sum(http_server_request_duration_seconds_sum{\(orders)})") {
                (0.001...60).contains($0)
            }
            let scrapes = #"http_server_request_duration_seconds_count{http_route="/metrics"} > 0"#
            try await prometheus.expect("count(\(scrapes))") { $0 == 8 }
        }

        private func checkMessaging(_ prometheus: Prometheus) async throws {
            let services = Double(Program.services.count)
            try await prometheus.expect("count(count by (job) (messaging_delivery_lag_seconds_count > 0))") {
                $0 == services
            }
            // All have waited, and the slowest for the broker to come back.
            try await prometheus.expect(
                "sum(messaging_delivery_lag_seconds_sum) / sum(messaging_delivery_lag_seconds_count)"
            ) { $0 > 0 && $0 < 10 }
            let attempts = #"messaging_delivery_attempts_bucket{job="order",le="#
            try await prometheus.expect(#"\#(attempts)"5"} - ignoring(le) \#(attempts)"2"}"#) { $0 == 3 }
            func consumed(_ labels: String, _ count: Double) async throws {
                try await prometheus.expect("sum(messaging_client_consumed_messages_total{\(labels)})") { $0 == count }
            }
            try await consumed(#"job="order",outcome="retried""#, 4)
            try await consumed(#"job="order",outcome="dead_lettered""#, 1)
            try await consumed(#"job="email",outcome="dead_lettered""#, 1)
            try await prometheus.expect(#"sum(inbox_duplicates_total{job="loyalty"})"#) { $0 == 1 }
            // The broker began to count anew when it came back.
            try await prometheus.expect(#"broker_messages_published_total{topic="order-events"}"#) { $0 >= 4 }
            try await prometheus.expect(#"broker_queue_messages{queue="order-dlq"}"#) { $0 == 1 }
            try await prometheus.expect(#"saga_duration_seconds_count{status="confirmed"}"#) { $0 == 3 }
            try await prometheus.expect(#"saga_duration_seconds_count{status="cancelled"}"#) { $0 == 1 }
            try await prometheus.expect(#"saga_duration_seconds_sum{status="confirmed"}"#) {
                (0.001...180).contains($0)
            }
        }

        private func checkStorage(_ prometheus: Prometheus) async throws {
            try await prometheus.expect("count(count by (job) (sqlite_commit_duration_seconds_count > 0))") { $0 == 8 }
            try await prometheus.expect("min(sqlite_commit_writes_sum >= sqlite_commit_writes_count)") { $0 > 0 }
            try await prometheus.expect(
                "max(sqlite_commit_duration_seconds_sum / sqlite_commit_duration_seconds_count)"
            ) { $0 > 0 && $0 < 1 }
            // payment's own, and the simulated gateway's.
            try await prometheus.expect(#"count(sqlite_commit_writes_count{job="payment"})"#) { $0 == 2 }
            try await prometheus.expect("max(outbox_depth)") { $0 == 0 }
        }

        @Test("promtool finds nothing wrong with what each program exposes, and each metric says what it is")
        func wellFormed() async throws {
            let stack = try currentStack()
            let shop = ShopAPI(stack: stack)
            let order = try await shop.place(NewOrder(by: "linted", "MUG-ENAMEL", paying: .flaky))
            _ = try await shop.follow(order.orderId, until: ["confirmed"])
            try await BrokerAPI(stack: stack).waitUntilQuiet()
            for program in Program.watched {
                let answer = try await shop.send(.get, program, "/metrics")
                let text = String(decoding: answer.body, as: UTF8.self)
                #expect(try await Prometheus.objections(to: text) == "", "\(program)")
                let help = text.split(separator: "\n").filter { $0.hasPrefix("# HELP ") }
                #expect(help.count > 3)
                // A sentence, not the metric's name once more.
                for line in help { #expect(line.split(separator: " ").count > 4, "\(program): \(line)") }
            }
            #expect(try await Prometheus.objections(to: "wrong_milliseconds 1\n") != "")
        }
    }
}
