/// The text format, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct PrometheusText {
    private(set) var output = ""

    mutating func family(_ family: MetricFamily, help: String) {
        self.output += "# HELP \(family.name) \(Self.escaped(help, quotes: false))\n"
        self.output += "# TYPE \(family.name) \(family.kind.exposed)\n"
        for (_, series) in family.series.sorted(by: { $0.key < $1.key }) { series.write(to: &self) }
    }

    mutating func sample(_ identity: MetricIdentity, suffix: String = "", extra: String = "", _ value: Double) {
        let labels = [identity.labels, extra].filter { !$0.isEmpty }.joined(separator: ",")
        self.output += identity.family + suffix
        if !labels.isEmpty { self.output += "{\(labels)}" }
        self.output += " \(Self.number(value))\n"
    }

    /// A number as Go reads it; whole ones without ".0".
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    /// `a="b",c="d"`, sorted by name; a name given twice keeps its first value, for a double one would be refused.
    static func labels(_ dimensions: [(String, String)]) -> String {
        var seen: Set<String> = []
        return dimensions.map { (Self.sanitised($0.0, colons: false), $0.1) }
            .filter { seen.insert($0.0).inserted }
            .sorted { $0.0 < $1.0 }
            .map { "\($0.0)=\"\(Self.escaped($0.1, quotes: true))\"" }
            .joined(separator: ",")
    }

    static func metricName(_ label: String, kind: MetricKind) -> String {
        let name = Self.sanitised(label, colons: true)
        let suffix =
            switch kind {
            case .counter: "_total"
            case .timer: "_seconds"
            case .gauge, .histogram: ""
            }
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// Metric names are `[a-zA-Z_:][a-zA-Z0-9_:]*`, label names the same without colons.
    private static func sanitised(_ name: String, colons: Bool) -> String {
        var result = ""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": result.unicodeScalars.append(scalar)
            case "0"..."9":
                if result.isEmpty { result = "_" }
                result.unicodeScalars.append(scalar)
            case ":" where colons: result.unicodeScalars.append(scalar)
            default: result += "_"
            }
        }
        return result.isEmpty ? "_" : result
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
