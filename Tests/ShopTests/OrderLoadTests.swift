import Foundation
import Testing

@testable import Shop

@Suite struct OrderLoadTests {
    @Test(arguments: [
        ("500ms", 0.5), ("60s", 60), ("60", 60), ("1.5m", 90), ("2h", 7200), ("", nil), ("s", nil), ("-1s", nil),
        ("1d", nil), ("1e3s", nil), ("9999999999s", nil),
    ])
    func timesAreRead(text: String, seconds: Double?) {
        #expect(TimeSpan(argument: text)?.duration.seconds == seconds)
    }

    @Test func ordersAreDueAtAFixedRateWhateverHappens() {
        let schedule = OrderSchedule.open(rate: 40, duration: .seconds(3))
        #expect(schedule.count == 120)
        #expect(
            [0, 1, 2, 119].map(schedule.due) == [.zero, .milliseconds(25), .milliseconds(50), .milliseconds(2975)])
        #expect(schedule.length == .seconds(3))
        #expect(OrderSchedule.open(rate: 0.01, duration: .seconds(1)).count == 1)
        let turns = OrderSchedule.closed(concurrency: 8, count: 100)
        #expect(turns.count == 100 && turns.due(1) == nil && turns.length == nil)
    }

    @Test(arguments: [
        ["--count", "5"], ["--concurrency", "5"], ["--rate", "5", "--concurrency", "5", "--count", "5"],
        ["--rate", "0"], ["--duration", "soon"], ["--rate", "10000", "--duration", "24h"], ["--settle-within", "0s"],
    ])
    func whatMakesNoSenseIsRefused(arguments: [String]) {
        #expect(throws: (any Error).self) { try LoadOrdersCommand.parse(arguments) }
    }

    @Test func loadIsOrdersUnlessItSaysOtherwise() throws {
        #expect(try ShopCommand.parseAsRoot(["load", "--rate", "20", "--duration", "3s"]) is LoadOrdersCommand)
        #expect(try ShopCommand.parseAsRoot(["load", "orders"]) is LoadOrdersCommand)
        #expect(try ShopCommand.parseAsRoot(["load", "streams"]) is LoadStreamsCommand)
    }

    /// A hundred orders in a second: each accepted after 10 ms and settled after as many more as its number says, but for
    /// one that was cancelled, one refused and one lost; the last was sent late.
    private func ledger() -> OrderLoadLedger {
        var ledger = OrderLoadLedger()
        for number in 0..<100 {
            let due = Duration.milliseconds(number * 10)
            let sent = number == 99 ? due + .milliseconds(500) : due
            let entry = ledger.placing(due: due, sent: sent)
            if number == 7 {
                ledger.failed(entry, as: .refused("order does not answer"))
                continue
            }
            ledger.accepted(entry, at: sent + .milliseconds(10))
            switch number {
            case 8: ledger.failed(entry, as: .lost(status: "reserved"))
            case 9: ledger.settled(entry, as: .cancelled(reason: "payment_timeout"), at: due + .milliseconds(100))
            default: ledger.settled(entry, as: .confirmed, at: sent + .milliseconds(10 + number))
            }
        }
        return ledger
    }

    @Test func timesCountFromWhenAnOrderWasDue() throws {
        let report = OrderLoadReport(schedule: .open(rate: 100, count: 100), ledger: ledger(), depths: [])
        let accepted = try #require(report.acceptedMilliseconds)
        #expect(abs(accepted.p50 - 10) < 0.1)
        #expect(abs(accepted.max - 510) < 1, "the one that was sent 500 ms late waited for them as well")
        let settled = try #require(report.settledMilliseconds)
        #expect(abs(settled.max - 609) < 1)
        #expect(abs((report.sentMilliseconds?.max ?? 0) - 500) < 1)
    }

    @Test func eachOrderIsAccountedFor() {
        let depths = [["order": 3, "email": 0], ["order": 1, "email": 2]].map {
            OrderLoadReport.Depths(at: .zero, queues: $0)
        }
        let report = OrderLoadReport(schedule: .open(rate: 100, count: 100), ledger: ledger(), depths: depths)
        #expect(report.placed == 100 && report.accepted == 99 && report.confirmed == 97 && report.cancelled == 1)
        #expect(report.refused == 1 && report.unsettled == 1)
        #expect(report.cancellations == [.init(what: "payment_timeout", count: 1)])
        #expect(
            report.errors == [
                .init(what: "not settled in time; its status: reserved", count: 1),
                .init(what: "order does not answer", count: 1),
            ])
        #expect(!report.isRight)
        // Placed until 1.49 s, accepted until 1.5 s, settled until 1.599 s.
        #expect(abs(report.placedPerSecond - 100 / 1.49) < 0.01)
        #expect(abs(report.acceptedPerSecond - 99 / 1.5) < 0.01)
        #expect(abs(report.settledPerSecond - 98 / 1.599) < 0.01)
        #expect(report.deepestQueues == ["order": 3, "email": 2])
        #expect(report.lines.contains("WRONG: 1 were not accepted, 1 didn't settle in time."))
        #expect(report.lines.contains("deepest queues: order 3, email 2"))
    }

    @Test func aScheduleThatWasKeptHasItsRate() {
        var ledger = OrderLoadLedger()
        for number in 0..<20 {
            let due = Duration.milliseconds(number * 100)
            let entry = ledger.placing(due: due, sent: due)
            ledger.accepted(entry, at: due + .milliseconds(1))
            ledger.settled(entry, as: .confirmed, at: due + .milliseconds(50))
        }
        let report = OrderLoadReport(schedule: .open(rate: 10, count: 20), ledger: ledger, depths: [])
        #expect([report.placedPerSecond, report.acceptedPerSecond, report.settledPerSecond] == [10, 10, 10])
        #expect(report.isRight && report.lines.last == "Each order was accepted and settled.")
    }

    @Test func withoutAnAnswerThereAreNoLatencies() throws {
        var ledger = OrderLoadLedger()
        ledger.failed(ledger.placing(due: .zero, sent: .zero), as: .refused("order does not answer"))
        let report = OrderLoadReport(schedule: .closed(concurrency: 1, count: 1), ledger: ledger, depths: [])
        #expect(report.acceptedMilliseconds == nil && report.settledMilliseconds == nil)
        let json = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
        #expect(!json.contains("ledger") && !json.contains("NaN"))
        #expect(OrderLoadPage(report).html.contains("order does not answer"))
    }

    @Test func aRunIsCutIntoPiecesByWhenThingsHappened() throws {
        let pieces = OrderLoadTimeline(ledger()).pieces
        #expect(pieces.map(\.from) == [0, 1])
        #expect(pieces.map(\.placed) == [99, 1])
        #expect(pieces[0].acceptedLatency?.p50 == 10)
        #expect(pieces[0].acceptedLatency?.max == 510, "it was due in the first second")
        #expect(pieces[1].settledLatency == nil, "nothing was due in the second")
        #expect(pieces.map(\.settled).reduce(0, +) == 98)
        var long = OrderLoadLedger()
        for second in 0..<1000 { _ = long.placing(due: .seconds(second), sent: .seconds(second)) }
        #expect(OrderLoadTimeline(long).pieces.count == 112, "9 s each")
    }

    @Test func theQueuesAreReadFromTheBrokersMetrics() {
        let metrics = """
            # TYPE broker_queue_messages gauge
            broker_queue_messages{queue="email"} 3
            broker_queue_messages{queue="order"} 2
            broker_queue_messages_delayed{queue="order"} 70
            broker_queue_messages_in_flight{queue="order"} 5
            broker_messages_sent_total{queue="order"} 900
            process_open_fds 12
            """
        #expect(QueueDepths(metrics: metrics).queues == ["email": 3, "order": 7])
    }

    @Test func theBarFillsUp() {
        #expect(ProgressBar.bar(done: 0, of: 10).hasSuffix("░ 0 %"))
        #expect(ProgressBar.bar(done: 5, of: 10) == "████████████░░░░░░░░░░░░ 50 %")
        #expect(ProgressBar.bar(done: 20, of: 10).hasSuffix("█ 100 %"))
    }
}
