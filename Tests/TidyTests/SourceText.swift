/// The text of a Swift file, taken apart far enough to look at code and string literals without comments.
///
/// It is no parser. It knows comments, the kinds of string literals, and interpolation.
struct SourceText {
    struct Line: Equatable {
        /// Without comments, and with string literals emptied.
        var code = ""
        /// What the string literals hold.
        var literals = ""
        /// As it stands in the file.
        var raw = ""
    }

    private enum Mode: Equatable {
        case code
        /// Inside `\( … )`, with the count of parentheses that are open.
        case interpolation(open: Int)
        case lineComment
        case blockComment(depth: Int)
        case literal(pounds: Int, isMultiline: Bool)
    }

    private static let mayChangeMode: Set<Character> = ["/", "#", "\"", "(", ")"]

    private(set) var lines: [Line] = [Line()]

    init(_ text: String) {
        let characters = Array(text)
        var modes = [Mode.code]
        var position = 0
        while position < characters.count {
            let character = characters[position]
            guard !character.isNewline else {
                lines.append(Line())
                if modes.last == .lineComment { modes.removeLast() }
                position += 1
                continue
            }
            let length = step(at: position, in: characters, &modes)
            lines[lines.count - 1].raw += String(characters[position..<position + length])
            position += length
        }
    }

    /// Takes one token, which is a single character unless it changes the mode; returns its length.
    private mutating func step(at position: Int, in characters: [Character], _ modes: inout [Mode]) -> Int {
        func starts(with text: String) -> Bool {
            characters[position...].starts(with: text)
        }
        let character = characters[position]
        switch modes[modes.count - 1] {
        case .lineComment:
            return 1
        case .blockComment(let depth):
            return takeBlockComment(depth: depth, isOpening: starts(with: "/*"), isClosing: starts(with: "*/"), &modes)
        case .literal(let pounds, let isMultiline):
            guard character == "\\" || character == "\"" else {
                lines[lines.count - 1].literals.append(character)
                return 1
            }
            let fence = String(repeating: "#", count: pounds)
            if starts(with: "\\\(fence)(") {
                modes.append(.interpolation(open: 1))
                return pounds + 2
            }
            if starts(with: "\\\(fence)"), position + pounds + 1 < characters.count {
                lines[lines.count - 1].literals.append(characters[position + pounds + 1])
                return pounds + 2
            }
            let end = (isMultiline ? "\"\"\"" : "\"") + fence
            if starts(with: end) {
                modes.removeLast()
                lines[lines.count - 1].code += "\""
                return end.count
            }
            lines[lines.count - 1].literals.append(character)
            return 1
        case .code, .interpolation:
            return takeCode(at: position, in: characters, &modes)
        }
    }

    private mutating func takeBlockComment(
        depth: Int, isOpening: Bool, isClosing: Bool, _ modes: inout [Mode]
    ) -> Int {
        guard isOpening || isClosing else { return 1 }
        modes.removeLast()
        let left = depth + (isOpening ? 1 : -1)
        if left > 0 { modes.append(.blockComment(depth: left)) }
        return 2
    }

    private mutating func takeCode(at position: Int, in characters: [Character], _ modes: inout [Mode]) -> Int {
        let character = characters[position]
        guard Self.mayChangeMode.contains(character) else {
            lines[lines.count - 1].code.append(character)
            return 1
        }
        let rest = characters[position...]
        if rest.starts(with: "//") {
            modes.append(.lineComment)
            return 2
        }
        if rest.starts(with: "/*") {
            modes.append(.blockComment(depth: 1))
            return 2
        }
        let pounds = rest.prefix { $0 == "#" }.count
        if rest.dropFirst(pounds).first == "\"" {
            let isMultiline = rest.dropFirst(pounds).starts(with: "\"\"\"")
            modes.append(.literal(pounds: pounds, isMultiline: isMultiline))
            lines[lines.count - 1].code += "\""
            // So that the words of two literals of a line stay apart.
            lines[lines.count - 1].literals += " "
            return pounds + (isMultiline ? 3 : 1)
        }
        if case .interpolation(let open) = modes[modes.count - 1], character == "(" || character == ")" {
            modes.removeLast()
            let left = open + (character == "(" ? 1 : -1)
            if left > 0 { modes.append(.interpolation(open: left)) }
            if left == 0 { return 1 }
        }
        lines[lines.count - 1].code.append(character)
        return 1
    }
}
