import Contracts
import Foundation
import Testing

@testable import Console

@Suite("The overview") struct OverviewTests {
    private let start = ContinuousClock.now

    private func look(_ text: String, after seconds: Int, status: String? = "ready") -> Overview.Look {
        Overview.Look(
            readiness: status.map { Overview.Readiness(status: $0, checks: [:]) }, scrape: Scrape(text),
            at: start + .seconds(seconds))
    }

    @Test("Prometheus's text is read, with what is escaped in it") func scrape() {
        let scrape = Scrape(
            """
            # HELP a Things.
            # TYPE a counter
            a_total{queue="x",note="say \\"hi\\", \\\\ {ok}"} 3
            a_total{queue="y"} 4.5
            plain 7 1700000000
            broken{ 1
            nothing
            """)
        #expect(scrape.sum("a_total") == 7.5)
        #expect(scrape.values("a_total", by: "queue") == ["x": 3, "y": 4.5])
        #expect(scrape.samples.first?.labels["note"] == #"say "hi", \ {ok}"#)
        #expect(scrape.sum("plain") == 7)
        #expect(scrape.sum("missing") == nil)
    }

    @Test("Counters become rates; what watches doesn't count; a new life of a process isn't negative") func rates() {
        func text(_ orders: Int, _ health: Int, _ handled: Int) -> String {
            """
            http_server_request_duration_seconds_count{http_route="/orders",http_response_status_code="202"} \(orders)
            http_server_request_duration_seconds_count{http_route="/orders",http_response_status_code="500"} \(orders / 2)
            http_server_request_duration_seconds_count{http_route="/health/ready",http_response_status_code="200"} \(health)
            messaging_client_consumed_messages_total{outcome="acknowledged"} \(handled)
            outbox_depth 5
            """
        }
        func service(_ now: Overview.Look, _ before: Overview.Look?) -> Overview.Service? {
            Overview(
                ["order": now], before: before.map { ["order": $0] } ?? [:], order: ["order"], topology: .shop,
                at: Date()
            ).services.first
        }
        let later = service(look(text(30, 90, 8), after: 2), look(text(10, 10, 0), after: 0))
        #expect(later?.requestsPerSecond == 15)
        #expect(later?.errorsPerSecond == 5)
        #expect(later?.handledPerSecond == 4)
        #expect(later?.outboxDepth == 5)
        #expect(service(look(text(30, 90, 8), after: 2), nil)?.requestsPerSecond == 0)
        #expect(service(look(text(1, 1, 1), after: 2), look(text(10, 10, 9), after: 0))?.requestsPerSecond == 0)
    }

    @Test("Only what may change something is activity") func activity() {
        let text = """
            http_server_request_duration_seconds_count{http_request_method="POST",http_route="/orders"} 3
            http_server_request_duration_seconds_count{http_request_method="GET",http_route="/orders"} 50
            messaging_client_consumed_messages_total{outcome="acknowledged"} 4
            """
        #expect(look(text, after: 0).activity == 7)
        #expect(Overview.Look(readiness: nil, scrape: nil, at: start).activity == nil)
    }

    @Test("A service that doesn't answer is down; queues are told from the broker's metrics") func state() {
        let broker = look(
            """
            broker_queue_messages{queue="order"} 4
            broker_queue_messages{queue="order-dlq"} 2
            broker_queue_messages_in_flight{queue="order"} 1
            broker_queue_oldest_message_age_seconds{queue="order"} 12.5
            broker_messages_sent_total{queue="order"} 9
            """, after: 1)
        let down = Overview.Look(readiness: nil, scrape: nil, at: start)
        let overview = Overview(
            ["broker": broker, "order": down], before: [:], order: ["broker", "order"], topology: .shop, at: Date())
        #expect(overview.services.map(\.status) == ["ready", "down"])
        let queue = overview.queues.first { $0.name == "order" }
        #expect(queue?.visible == 4 && queue?.inFlight == 1 && queue?.deadLetters == 2 && queue?.oldestSeconds == 12.5)
    }
}
