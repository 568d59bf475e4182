import Metrics
import Telemetry
import Testing

@Suite("Prometheus metrics")
struct PrometheusRegistryTests {
    let registry = PrometheusRegistry(durationBuckets: [0.1, 1], valueBuckets: [10, 100])

    @Test("a counter")
    func counter() {
        self.registry.describe("orders.placed", "Orders that were taken.\nNot more.")
        for _ in 0..<3 {
            Counter(label: "orders.placed", dimensions: [("method", "pm_ok")], factory: self.registry).increment()
        }
        #expect(
            self.registry.text() == #"""
                # HELP orders_placed_total Orders that were taken.\nNot more.
                # TYPE orders_placed_total counter
                orders_placed_total{method="pm_ok"} 3

                """#)
    }

    @Test("a name that ends as it should isn't lengthened")
    func suffix() {
        Counter(label: "seen_total", factory: self.registry).increment()
        #expect(self.registry.text().contains("\nseen_total 1\n"))
    }

    @Test("a counter in parts, and one that goes neither down nor to infinity")
    func floatingPointCounter() {
        let counter = FloatingPointCounter(label: "x", factory: self.registry)
        counter.increment(by: 0.5)
        counter.increment(by: -1.0)
        counter.increment(by: Double.infinity)
        #expect(self.registry.text().contains("\nx_total 0.5\n"))
    }

    @Test("gauges and meters hold the last value")
    func gauges() {
        Gauge(label: "depth", factory: self.registry).record(7)
        let meter = Meter(label: "active", factory: self.registry)
        meter.increment()
        meter.increment()
        meter.decrement()
        let text = self.registry.text()
        #expect(text.contains("# TYPE depth gauge\ndepth 7\n"))
        #expect(text.contains("# TYPE active gauge\nactive 1\n"))
    }

    @Test("a timer is a histogram in seconds with cumulative buckets")
    func timer() {
        let timer = Timer(label: "http.duration", dimensions: [("route", "/orders/{id}")], factory: self.registry)
        timer.recordMilliseconds(50)
        timer.recordMilliseconds(100)
        timer.recordMilliseconds(500)
        timer.recordSeconds(5)
        #expect(
            self.registry.text() == """
                # HELP http_duration_seconds http.duration
                # TYPE http_duration_seconds histogram
                http_duration_seconds_bucket{route="/orders/{id}",le="0.1"} 2
                http_duration_seconds_bucket{route="/orders/{id}",le="1"} 3
                http_duration_seconds_bucket{route="/orders/{id}",le="+Inf"} 4
                http_duration_seconds_sum{route="/orders/{id}"} 5.65
                http_duration_seconds_count{route="/orders/{id}"} 4

                """)
    }

    @Test("a recorder that aggregates is a histogram")
    func recorder() {
        let recorder = Recorder(label: "batch.size", factory: self.registry)
        recorder.record(10)
        recorder.record(11)
        #expect(self.registry.text().contains("batch_size_bucket{le=\"10\"} 1\nbatch_size_bucket{le=\"100\"} 2\n"))
    }

    @Test("label values are escaped, names made valid")
    func escaping() {
        Gauge(label: "1st-gauge/é", dimensions: [("la:bel", "a\"b\\c\nd")], factory: self.registry).record(1)
        #expect(self.registry.text().contains(#"_1st_gauge__{la_bel="a\"b\\c\nd"} 1"#))
    }

    @Test("two orders of the same labels are one series, and a label given twice stands once")
    func labelOrder() {
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: self.registry).increment()
        Counter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: self.registry).increment()
        Counter(label: "d", dimensions: [("a", "1"), ("a", "2")], factory: self.registry).increment()
        #expect(self.registry.text().contains("c_total{a=\"1\",b=\"2\"} 2\n"))
        #expect(self.registry.text().contains("d_total{a=\"1\"} 1\n"))
    }

    @Test("one name is one type")
    func conflict() {
        Gauge(label: "size", factory: self.registry).record(1)
        Recorder(label: "size", factory: self.registry).record(2)
        let text = self.registry.text()
        #expect(text.contains("# TYPE size gauge\nsize 1\n"))
        #expect(text.contains("# TYPE size_histogram histogram\n"))
    }

    @Test("a destroyed metric is gone, and may come back")
    func destroy() {
        let counter = Counter(label: "gone", factory: self.registry)
        counter.increment(by: 5)
        counter.destroy()
        #expect(self.registry.text().isEmpty)
        Counter(label: "gone", factory: self.registry).increment()
        #expect(self.registry.text().contains("gone_total 1\n"))
    }

    @Test("counts right from many tasks at once")
    func concurrency() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { [registry] in
                    for index in 0..<1000 {
                        Counter(label: "n", dimensions: [("i", String(index % 3))], factory: registry).increment()
                        Timer(label: "t", factory: registry).recordNanoseconds(1)
                    }
                }
            }
        }
        let text = self.registry.text()
        #expect(text.contains("n_total{i=\"0\"} 2672\n"))
        #expect(text.contains("t_seconds_count 8000\n"))
    }

    @Test("labels without end make no series without end: what is over is summed up in one that says so")
    func overflow() {
        let registry = PrometheusRegistry(largestFamily: 3)
        for round in 1...2 {
            for number in 1...100 {
                let dimensions = [("queue", "q\(number)")]
                Counter(label: "sent", dimensions: dimensions, factory: registry).increment(by: round)
                Timer(label: "lag", dimensions: dimensions, factory: registry).recordNanoseconds(1)
            }
        }
        Counter(label: "other", dimensions: [("queue", "q50")], factory: registry).increment()
        let lines = registry.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(
            lines.filter { $0.hasPrefix("sent") } == [
                #"sent_total{otel_metric_overflow="true"} 291"#, #"sent_total{queue="q1"} 3"#,
                #"sent_total{queue="q2"} 3"#, #"sent_total{queue="q3"} 3"#,
            ])
        #expect(lines.contains(#"lag_seconds_count{otel_metric_overflow="true"} 194"#))
        #expect(lines.count { $0.hasPrefix("lag_seconds_count") } == 4)
        #expect(lines.contains(#"other_total{queue="q50"} 1"#), "each metric has a limit of its own")
    }

    @Test("a destroyed series makes room; the one for what is over stays for the others")
    func overflowAndDestroy() {
        let registry = PrometheusRegistry(largestFamily: 1)
        func counter(_ queue: String) -> Counter {
            Counter(label: "sent", dimensions: [("queue", queue)], factory: registry)
        }
        let (first, second, third) = (counter("1"), counter("2"), counter("3"))
        for counter in [first, second, third] { counter.increment() }
        second.destroy()
        third.increment()
        #expect(registry.text().contains("sent_total{otel_metric_overflow=\"true\"} 3\n"))
        first.destroy()
        #expect(!registry.text().contains("queue="))
        counter("4").increment()
        #expect(registry.text().contains("sent_total{queue=\"4\"} 1\n"))
    }
}
