import Foundation
import Histogram

/// The report of `shop load orders` as a page that is one file: nothing in it comes from anywhere else, and it runs no
/// script. Whatever came from the shop is text in it.
struct OrderLoadPage {
    let report: OrderLoadReport
    let measuredAt: Date

    init(_ report: OrderLoadReport, measuredAt: Date = .now) {
        self.report = report
        self.measuredAt = measuredAt
    }

    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(title.escapedForHTML)</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <main>
        <h1>\(title.escapedForHTML)</h1>
        <p>\(measuredAt.formatted(.iso8601).escapedForHTML). \(summary.escapedForHTML)</p>
        \(latencies)
        \(errors)
        \(plots.map(\.html).joined(separator: "\n"))
        </main>
        </body>
        </html>

        """
    }

    private var title: String {
        if let concurrency = report.concurrency { return "\(report.placed) orders, \(concurrency) at a time" }
        return String(format: "%g orders a second, %d in all", report.rate ?? 0, report.placed)
    }

    /// The lines for a terminal without those that are tables here.
    private var summary: String { report.lines.prefix(2).map { $0 + "." }.joined(separator: " ") }

    private var latencies: String {
        let rows = [
            ("accepted: from when it was due until its 202", report.acceptedMilliseconds),
            ("settled: until it was seen to be confirmed or cancelled", report.settledMilliseconds),
            ("sent: how late this program was", report.sentMilliseconds),
        ].compactMap { name, latency in
            latency.map { latency in
                let cells = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
                    .map { String(format: "<td>%.1f</td>", $0) }.joined()
                return "<tr><th scope=\"row\">\(name.escapedForHTML)</th>\(cells)</tr>"
            }
        }
        return """
            <table>
            <thead><tr><th scope="col">milliseconds</th><th scope="col">p50</th><th scope="col">p90</th>\
            <th scope="col">p99</th><th scope="col">p99.9</th><th scope="col">max</th></tr></thead>
            <tbody>\(rows.joined())</tbody>
            </table>
            """
    }

    private var errors: String {
        guard !report.errors.isEmpty else { return "<p>Each order was accepted and settled.</p>" }
        let items = report.errors.map { "<li>\($0.count) × \($0.what.escapedForHTML)</li>" }.joined()
        return "<h2>What went wrong</h2>\n<ul>\(items)</ul>"
    }

    private static let style = """

        :root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --quiet: #5b6168; --grid: #dfe3e8;
          --c0: #0b62c4; --c1: #b3470a; --c2: #17785a; --c3: #8a3ab0; --c4: #a01840; --c5: #5d6a00; }
        @media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e8eaed; --quiet: #a2a9b1;
          --grid: #32373d; --c0: #6fb1ff; --c1: #ffa366; --c2: #5fd3a8; --c3: #d59af0; --c4: #ff8fa8; --c5: #ccd65c; } }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
        h1, h2, figcaption { font-size: 1.1rem; font-weight: 600; }
        h1 { font-size: 1.5rem; }
        table { border-collapse: collapse; display: block; overflow-x: auto; }
        th, td { padding: .2rem .8rem .2rem 0; text-align: right; font-variant-numeric: tabular-nums; }
        th:first-child { text-align: left; font-weight: 400; color: var(--quiet); }
        figure { margin: 2rem 0; }
        figure > svg { display: block; width: 100%; height: auto; }
        figure ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
        li svg { width: 28px; height: 8px; margin-right: .4rem; vertical-align: middle; }
        text { fill: var(--quiet); font-size: 12px; }
        text.x { text-anchor: middle; } text.y { text-anchor: end; dominant-baseline: middle; }
        .grid, .tick { stroke: var(--grid); } .axis { stroke: var(--quiet); }
        polyline { fill: none; stroke-width: 2; }

        """ + (0..<12).map(Self.style(ofLine:)).joined()

    /// Six colours, and dashes for those who can't tell them apart.
    private static func style(ofLine index: Int) -> String {
        let dashes = ["", " stroke-dasharray: 7 3;", " stroke-dasharray: 2 3;"][index / 2 % 3]
        return """
            .l\(index) { stroke: var(--c\(index % 6));\(dashes) } circle.l\(index) { fill: var(--c\(index % 6)); }

            """
    }
}

// MARK: - The plots

extension OrderLoadPage {
    private static let time = "seconds since the start"
    private static let mostQueues = 12

    var plots: [Plot] {
        let timeline = OrderLoadTimeline(report.ledger)
        return [latencyOverTime(timeline), distribution, ratesOverTime(timeline), depthsOverTime].compactMap(\.self)
    }

    private func latencyOverTime(_ timeline: OrderLoadTimeline) -> Plot? {
        typealias Latency = OrderLoadTimeline.Latency
        func line(
            _ name: String, _ latency: (OrderLoadTimeline.Piece) -> Latency?, _ value: (Latency) -> Double
        ) -> Plot.Line {
            Plot.Line(
                name: name,
                points: timeline.pieces.compactMap { piece in latency(piece).map { (x: piece.from, y: value($0)) } })
        }
        return plot(
            "Latency over the run, by when an order was due",
            [
                line("accepted, p50", \.acceptedLatency, \.p50), line("settled, p50", \.settledLatency, \.p50),
                line("accepted, p99", \.acceptedLatency, \.p99), line("settled, p99", \.settledLatency, \.p99),
                line("accepted, max", \.acceptedLatency, \.max), line("settled, max", \.settledLatency, \.max),
            ]
        ) { .logarithmic("milliseconds", $0) }
    }

    private var distribution: Plot? {
        func line(_ name: String, _ times: Histogram<UInt64>) -> Plot.Line {
            // As far as there is an order for each step, and at equal distances on the axis.
            let nines = log10(Double(times.totalCount)) * 20
            guard nines.isFinite else { return Plot.Line(name: name, points: []) }
            let percentiles = (0...Int(nines)).map { 100 * (1 - pow(10, -Double($0) / 20)) }
            return Plot.Line(
                name: name, points: percentiles.map { (x: $0, y: Double(times.valueAtPercentile($0)) / 1e6) })
        }
        let lines = [line("accepted", report.ledger.acceptedTimes), line("settled", report.ledger.settledTimes)]
            .filter { !$0.points.isEmpty }
        guard let highest = lines.flatMap(\.points).map(\.x).max() else { return nil }
        return Plot(
            title: "Distribution of the latencies", x: .percentiles("share of the orders", upTo: highest),
            y: .logarithmic("milliseconds", lines.flatMap(\.points).map(\.y)), lines: lines)
    }

    private func ratesOverTime(_ timeline: OrderLoadTimeline) -> Plot? {
        func line(_ name: String, _ rate: (OrderLoadTimeline.Piece) -> Double) -> Plot.Line {
            Plot.Line(name: name, points: timeline.pieces.map { ($0.from, rate($0)) })
        }
        return plot(
            "Orders a second", [line("placed", \.placed), line("accepted", \.accepted), line("settled", \.settled)]
        ) { .linear("orders a second", upTo: $0.max() ?? 1) }
    }

    private var depthsOverTime: Plot? {
        let deepest = report.deepestQueues.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.mostQueues)
        let lines = deepest.map { queue, _ in
            Plot.Line(name: queue, points: report.depths.map { ($0.at.seconds, Double($0.queues[queue] ?? 0)) })
        }
        return plot("Messages in the queues, waiting or in hand", lines) { .linear("messages", upTo: $0.max() ?? 1) }
    }

    /// Over the time of the run; `nil` if there is nothing to show.
    private func plot(_ title: String, _ lines: [Plot.Line], y: ([Double]) -> Axis) -> Plot? {
        let lines = lines.filter { !$0.points.isEmpty }
        guard let last = lines.flatMap(\.points).map(\.x).max() else { return nil }
        return Plot(
            title: title, x: .linear(Self.time, upTo: max(last, 1)), y: y(lines.flatMap(\.points).map(\.y)),
            lines: lines)
    }
}
