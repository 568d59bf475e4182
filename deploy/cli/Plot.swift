import Foundation

/// A plot of lines as SVG; colours, dashes and letters come from the style sheet of the page that it is in.
struct Plot {
    struct Line {
        let name: String
        let points: [(x: Double, y: Double)]
    }

    let title: String
    let x: Axis
    let y: Axis
    let lines: [Line]

    private static let width = 760.0
    private static let height = 300.0
    private static let left = 70.0
    private static let right = 20.0
    private static let top = 14.0
    private static let bottom = 46.0

    /// The plot with its title and what each line means.
    var html: String {
        """
        <figure>
        <figcaption>\(title.escapedForHTML)</figcaption>
        <svg viewBox="0 0 \(Self.text(Self.width)) \(Self.text(Self.height))" role="img" aria-label="\(title.escapedForHTML)">
        \((yTicks + xTicks + labels + paths).joined(separator: "\n"))
        </svg>
        <ul>\(legend)</ul>
        </figure>
        """
    }

    private var yTicks: [String] {
        y.ticks.map { tick in
            let height = Self.text(across(y: tick.value))
            return """
                <line class="grid" x1="\(Self.text(Self.left))" x2="\(Self.text(Self.width - Self.right))" y1="\(height)" \
                y2="\(height)"/><text class="y" x="\(Self.text(Self.left - 8))" y="\(height)">\(tick.text.escapedForHTML)</text>
                """
        }
    }

    private var xTicks: [String] {
        x.ticks.map { tick in
            let place = Self.text(along(x: tick.value))
            let base = Self.height - Self.bottom
            return """
                <line class="tick" x1="\(place)" x2="\(place)" y1="\(Self.text(base))" y2="\(Self.text(base + 5))"/>\
                <text class="x" x="\(place)" y="\(Self.text(base + 19))">\(tick.text.escapedForHTML)</text>
                """
        }
    }

    private var labels: [String] {
        let (base, middle) = (Self.height - Self.bottom, (Self.top + Self.height - Self.bottom) / 2)
        return [
            """
            <line class="axis" x1="\(Self.text(Self.left))" x2="\(Self.text(Self.width - Self.right))" \
            y1="\(Self.text(base))" y2="\(Self.text(base))"/>
            """,
            """
            <text class="x label" x="\(Self.text((Self.left + Self.width - Self.right) / 2))" \
            y="\(Self.text(Self.height - 8))">\(x.label.escapedForHTML)</text>
            """,
            """
            <text class="x label" transform="translate(14 \(Self.text(middle))) rotate(-90)">\
            \(y.label.escapedForHTML)</text>
            """,
        ]
    }

    private var paths: [String] {
        lines.enumerated().map { index, line in
            let points = line.points.map { "\(Self.text(along(x: $0.x))),\(Self.text(across(y: $0.y)))" }
            // A single point has no length, and would not be seen.
            if points.count == 1, let point = line.points.first {
                return """
                    <circle class="l\(index)" cx="\(Self.text(along(x: point.x)))" cy="\(Self.text(across(y: point.y)))" \
                    r="3"/>
                    """
            }
            return "<polyline class=\"l\(index)\" points=\"\(points.joined(separator: " "))\"/>"
        }
    }

    private var legend: String {
        lines.enumerated().map { index, line in
            """
            <li><svg viewBox="0 0 28 8" aria-hidden="true"><polyline class="l\(index)" points="0,4 28,4"/></svg>\
            \(line.name.escapedForHTML)</li>
            """
        }.joined()
    }

    private func along(x value: Double) -> Double {
        Self.left + x.place(value) * (Self.width - Self.left - Self.right)
    }

    private func across(y value: Double) -> Double {
        Self.height - Self.bottom - y.place(value) * (Self.height - Self.top - Self.bottom)
    }

    private static func text(_ number: Double) -> String { String(format: "%.1f", number) }
}

/// One side of a plot: which values it goes over, and which of them are written there.
struct Axis {
    struct Tick: Equatable {
        let value: Double
        let text: String
    }

    let label: String
    let ticks: [Tick]
    private let range: ClosedRange<Double>
    /// Equal steps of this are equal steps on the page.
    private let scale: @Sendable (Double) -> Double

    /// From 0 to at least the value, in steps of 1, 2 or 5 and powers of ten.
    static func linear(_ label: String, upTo highest: Double) -> Axis {
        let rough = max(highest, 1e-9) / 5
        let power = pow(10, floor(log10(rough)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? 10 * power
        let count = max(1, Int((highest / step).rounded(.up)))
        let ticks = (0...count).map { Tick(value: Double($0) * step, text: text(Double($0) * step)) }
        return Axis(label: label, ticks: ticks, range: 0...(Double(count) * step)) { $0 }
    }

    /// Over whole powers of ten, so that what is a thousand times more can be seen beside what is little.
    static func logarithmic(_ label: String, _ values: [Double]) -> Axis {
        let positive = values.filter { $0 > 0 }
        let lowest = Int(floor(log10(positive.min() ?? 1)))
        let highest = max(lowest + 1, Int(ceil(log10(positive.max() ?? 10))))
        let ticks = (lowest...highest).map { pow(10, Double($0)) }.map { Tick(value: $0, text: text($0)) }
        return Axis(label: label, ticks: ticks, range: pow(10, Double(lowest))...pow(10, Double(highest)), scale: log10)
    }

    /// Percentiles, each 9 more taking as much room as the one before it.
    static func percentiles(_ label: String, upTo highest: Double) -> Axis {
        let ticks = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter { $0 <= highest }
        return Axis(
            label: label, ticks: ticks.map { Tick(value: $0, text: "\(text($0)) %") }, range: 0...max(highest, 50)
        ) { -log10(1 - min($0, 99.9999) / 100) }
    }

    private init(
        label: String, ticks: [Tick], range: ClosedRange<Double>, scale: @escaping @Sendable (Double) -> Double
    ) {
        self.label = label
        self.ticks = ticks
        self.range = range
        self.scale = scale
    }

    /// From 0 at the axis' beginning to 1 at its end.
    func place(_ value: Double) -> Double {
        let value = min(max(value, range.lowerBound), range.upperBound)
        return (scale(value) - scale(range.lowerBound)) / (scale(range.upperBound) - scale(range.lowerBound))
    }

    private static func text(_ value: Double) -> String { String(format: "%.6g", value) }
}

extension String {
    /// For the text of an element or a quoted attribute.
    var escapedForHTML: String {
        reduce(into: "") { text, character in
            switch character {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            default: text.append(character)
            }
        }
    }
}
