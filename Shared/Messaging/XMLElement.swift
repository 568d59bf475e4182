/// The part of XML in which SNS answers: elements with text, no attributes that matter, five entities.
///
/// Foundation's parser would bring libxml2 into each service for a few hundred bytes.
struct XMLElement {
    let name: String
    private(set) var text = ""
    private(set) var children: [XMLElement] = []

    /// Reads a document.
    /// - Returns: `nil` if it isn't well formed.
    init?(parsing document: String) {
        var open: [XMLElement] = []
        var rest = document[...]
        while let start = rest.firstIndex(of: "<") {
            if !open.isEmpty { open[open.count - 1].text += Self.unescape(rest[..<start]) }
            guard let end = rest[start...].firstIndex(of: ">") else { return nil }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("?") || tag.hasPrefix("!") { continue }
            if tag.hasPrefix("/") {
                guard let closed = open.popLast(), closed.name == tag.dropFirst() else { return nil }
                guard !open.isEmpty else {
                    self = closed
                    return
                }
                open[open.count - 1].children.append(closed)
            } else {
                let element = XMLElement(name: String(tag.prefix { $0 != " " && $0 != "/" }))
                if tag.hasSuffix("/") {
                    guard !open.isEmpty else { return nil }
                    open[open.count - 1].children.append(element)
                } else {
                    open.append(element)
                }
            }
        }
        return nil
    }

    private init(name: String) { self.name = name }

    /// The first element of that name, this one or any below it.
    func first(_ name: String) -> XMLElement? {
        if self.name == name { return self }
        for child in children {
            if let found = child.first(name) { return found }
        }
        return nil
    }

    /// The text of the first element of that name.
    func text(of name: String) -> String? { first(name)?.text }

    private static func unescape(_ text: Substring) -> String {
        guard text.contains("&") else { return String(text) }
        let entities = [
            ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#34;", "\""),
            ("&amp;", "&"),
        ]
        return entities.reduce(String(text)) { $0.replacing($1.0, with: $1.1) }
    }
}
