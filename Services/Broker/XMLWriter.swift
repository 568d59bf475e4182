/// Writes the answers of the Query protocol.
struct XMLWriter: Sendable {
    private(set) var text = ""

    mutating func element(_ name: String, _ value: String) {
        text += "<\(name)>"
        escape(value)
        text += "</\(name)>"
    }

    mutating func element(_ name: String, attributes: String = "", _ content: (inout XMLWriter) -> Void) {
        text += "<\(name)\(attributes)>"
        content(&self)
        text += "</\(name)>"
    }

    mutating func text(_ value: String) { escape(value) }

    /// Puts in what was written elsewhere.
    mutating func append(_ other: XMLWriter) { text += other.text }

    /// A list with a `member` for each item.
    mutating func members<Item>(_ name: String, _ items: [Item], _ each: (inout XMLWriter, Item) -> Void) {
        element(name) { xml in
            for item in items { xml.element("member") { each(&$0, item) } }
        }
    }

    /// A map with an `entry` for each pair.
    mutating func map(_ name: String, _ values: [String: String]) {
        element(name) { xml in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                xml.element("entry") { xml in
                    xml.element("key", key)
                    xml.element("value", value)
                }
            }
        }
    }

    private mutating func escape(_ value: String) {
        // Ids and ARNs need none of it.
        if value.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }) {
            text += value
            return
        }
        for scalar in value.unicodeScalars {
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "\r": text += "&#xD;"
            // XML 1.0 has no way to write other control characters.
            case "\u{0}"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{FFFE}", "\u{FFFF}": text += "\u{FFFD}"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
