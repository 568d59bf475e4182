import Foundation
import Testing

@testable import Shop

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct OrderLoadPageTests {
    /// A run of which the shop's answers are hostile.
    private let html: String

    init() {
        var ledger = OrderLoadLedger()
        for number in 0..<50 {
            let due = Duration.milliseconds(number * 100)
            let entry = ledger.placing(due: due, sent: due)
            ledger.accepted(entry, at: due + .milliseconds(2))
            ledger.settled(entry, as: .confirmed, at: due + .milliseconds(20 + number))
        }
        ledger.failed(
            ledger.placing(due: .seconds(5), sent: .seconds(5)), as: .refused("<script>alert('a' & \"b\")</script>"))
        let cancelled = ledger.placing(due: .seconds(5), sent: .seconds(5))
        ledger.accepted(cancelled, at: .seconds(5))
        ledger.settled(cancelled, as: .cancelled(reason: "<img src=x>"), at: .seconds(5.1))
        let depths = (0...5).map { second in
            OrderLoadReport.Depths(at: .seconds(second), queues: ["order": second, "\"><script>": 1, "idle": 0])
        }
        html = OrderLoadPage(OrderLoadReport(schedule: .open(rate: 10, count: 52), ledger: ledger, depths: depths)).html
    }

    @Test func whatTheShopSaysStaysText() {
        #expect(html.contains("&lt;script&gt;alert(&#39;a&#39; &amp; &quot;b&quot;)&lt;/script&gt;"))
        #expect(html.contains("&lt;img src=x&gt;"))
        #expect(html.contains("&quot;&gt;&lt;script&gt;"))
        #expect(!html.contains("<script") && !html.contains("<img"))
    }

    @Test func nothingComesFromElsewhere() {
        #expect(html.contains("default-src 'none'"))
        #expect(
            !html.contains("http:") && !html.contains("https:") && !html.contains("url(") && !html.contains("@import"))
    }

    @Test func thereAreFourPlotsAndTheyAreXML() throws {
        #expect(html.count(of: "<figure>") == 4)
        #expect(html.count(of: "<polyline class=\"l0\" points=\"70.0,") == 4, "each begins at the left")
        #expect(html.count(of: "<polyline class=\"l1\" points=\"70.0,") == 4)
        #expect(
            html.matches(of: #/points="[^"]*[a-z][^"]*"/#).isEmpty, "no line goes through a place that is no number")
        #expect(!html.contains(">idle<"), "a queue that was never used has no line")
        // All but the head is written so that a parser of XML takes it, which finds what isn't closed.
        let body = try #require(html.firstRange(of: "<body>")?.lowerBound)
        let end = try #require(html.firstRange(of: "</html>")?.lowerBound)
        let parser = XMLParser(data: Data(html[body..<end].utf8))
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
    }

    @Test func axesHaveRoundNumbers() {
        #expect(Axis.linear("s", upTo: 60).ticks.map(\.text) == ["0", "20", "40", "60"])
        #expect(Axis.linear("s", upTo: 3).ticks.map(\.text) == ["0", "1", "2", "3"])
        #expect(Axis.linear("s", upTo: 0).ticks.count >= 2)
        #expect(Axis.logarithmic("ms", [3, 700]).ticks.map(\.text) == ["1", "10", "100", "1000"])
        #expect(Axis.logarithmic("ms", []).ticks.map(\.text) == ["1", "10"])
        #expect(Axis.percentiles("%", upTo: 99.95).ticks.map(\.text) == ["0 %", "50 %", "90 %", "99 %", "99.9 %"])
    }

    @Test func valuesLieBetweenTheEndsOfAnAxis() {
        let axis = Axis.logarithmic("ms", [1, 1000])
        #expect([0.1, 1, 1000, 5000].map(axis.place) == [0, 0, 1, 1])
        #expect(abs(axis.place(10) - 1.0 / 3) < 1e-9)
        let percentiles = Axis.percentiles("%", upTo: 99)
        #expect(abs(percentiles.place(90) - 0.5) < 1e-9)
    }
}

extension String {
    fileprivate func count(of part: String) -> Int { ranges(of: part).count }
}
