import Foundation

/// How a line that a service wrote is shown.
struct LogLine: Sendable {
    static let nameWidth = 12
    private static let colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]
    /// Shown in a place of their own, or of no use to someone who reads along.
    private static let hidden: Set<String> = ["time", "level", "service", "logger", "message", "trace_id", "span_id"]

    let service: String
    let isColoured: Bool

    /// A line for people: the name, the time, the level unless it is info, the message, and the rest as `key=value`.
    /// A line that isn't JSON, such as a crash's, stays as it is behind the name.
    func render(_ line: String) -> String {
        guard line.hasPrefix("{"),
            let parsed = try? JSONSerialization.jsonObject(with: Data(line.utf8)),
            let fields = parsed as? [String: Any], let message = fields["message"] as? String
        else {
            return "\(prefix) \(Self.printable(line))"
        }
        let level = (fields["level"] as? String ?? "info").lowercased()
        var text = "\(prefix) \(styled(Self.timeOfDay(fields["time"] as? String), "2"))"
        if !["info", "debug", "trace"].contains(level) {
            text += " " + styled(level.uppercased(), level.hasPrefix("warn") || level == "notice" ? "33" : "31")
        }
        text += " " + Self.printable(message)
        let details = fields.filter { !Self.hidden.contains($0.key) }.sorted { $0.key < $1.key }
        if !details.isEmpty {
            text +=
                " " + styled(details.map { "\($0.key)=\(Self.printable("\($0.value)"))" }.joined(separator: " "), "2")
        }
        return text
    }

    private var prefix: String {
        let index = ServiceTable.all.firstIndex { service.hasPrefix($0.name) } ?? 0
        let name = service.padding(toLength: max(service.count, Self.nameWidth), withPad: " ", startingAt: 0)
        return styled("\(name) |", String(Self.colours[index % Self.colours.count]))
    }

    private func styled(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// `2026-01-02T03:04:05.678Z` → `03:04:05.678`.
    private static func timeOfDay(_ time: String?) -> String {
        guard let time, let start = time.firstIndex(of: "T") else { return "" }
        return String(time[time.index(after: start)...].prefix { $0.isNumber || $0 == ":" || $0 == "." })
    }

    /// What a service logs may hold what a customer wrote; it must not be able to steer the terminal.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            result += isControl(scalar) ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control && scalar != "\t"
    }
}
