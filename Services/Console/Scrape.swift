/// A sample of Prometheus's text format.
struct Scrape: Sendable {
    struct Sample: Equatable, Sendable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    let samples: [Sample]

    init(_ text: String) {
        samples = text.split(separator: "\n").compactMap { Self.sample(in: $0) }
    }

    /// The sum over all samples of a name, or `nil` when there is none.
    func sum(_ name: String, where matches: ([String: String]) -> Bool = { _ in true }) -> Double? {
        let values = samples.filter { $0.name == name && matches($0.labels) }.map(\.value)
        return values.isEmpty ? nil : values.reduce(0, +)
    }

    /// The values of a name by one of its labels.
    func values(_ name: String, by label: String) -> [String: Double] {
        samples.reduce(into: [:]) { values, sample in
            guard sample.name == name, let key = sample.labels[label] else { return }
            values[key, default: 0] += sample.value
        }
    }

    /// `name{label="value",…} number`; comments and what isn't understood are left out.
    private static func sample(in line: Substring) -> Sample? {
        guard !line.hasPrefix("#") else { return nil }
        guard let open = line.firstIndex(of: "{") else {
            let parts = line.split(separator: " ")
            guard parts.count >= 2, let value = Double(parts[1]) else { return nil }
            return Sample(name: String(parts[0]), labels: [:], value: value)
        }
        guard let close = line.lastIndex(of: "}"), open < close else { return nil }
        let rest = line[line.index(after: close)...].split(separator: " ")
        guard let value = rest.first.flatMap({ Double($0) }) else { return nil }
        return Sample(
            name: String(line[..<open]), labels: labels(in: line[line.index(after: open)..<close]), value: value)
    }

    private static func labels(in text: Substring) -> [String: String] {
        var labels: [String: String] = [:]
        var rest = text
        while let equals = rest.range(of: "=\"") {
            let name = rest[..<equals.lowerBound].drop { $0 == "," || $0 == " " }
            rest = rest[equals.upperBound...]
            var value = ""
            while let character = rest.popFirst(), character != "\"" {
                guard character == "\\", let escaped = rest.popFirst() else {
                    value.append(character)
                    continue
                }
                value.append(escaped == "n" ? "\n" : escaped)
            }
            labels[String(name)] = value
        }
        return labels
    }
}
