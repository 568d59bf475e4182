/// What must not stand in code, and where SQL and documentation belong.
enum CodeRules {
    /// Structured concurrency only, no blocked threads, no crashes.
    static func forbiddenCalls(in file: SourceFile) -> [Violation] {
        violations(in: file) { line in
            // Searching for words is far quicker than matching patterns, and most lines have none of them.
            guard ["Task", "sleep", "try", "fatal", "precondition"].contains(where: line.code.contains) else {
                return nil
            }
            if line.code.contains(#/\bTask\s*(<[^{]*>)?\s*(\([^{]*\))?\s*\{/#) {
                return "starts a stray Task; use a task group, async let or a service of the ServiceGroup."
            }
            if line.code.contains(#/\bTask\s*\.\s*(detached|immediateDetached|immediate)\b/#) {
                return "starts a detached Task; use a task group, async let or a service of the ServiceGroup."
            }
            if line.code.contains(#/\bThread\s*\.\s*sleep\b|\b(usleep|nanosleep|sleep)\s*\(/#),
                !line.code.contains(#/(\.|\bfunc)\s*sleep\s*\(\s*(for|until)\b/#)
            {
                return "blocks a thread; await an event, or a clock's sleep where time is what is meant."
            }
            // "try !isThere()" is something else.
            if line.code.contains(#/\btry!/#) {
                return "crashes on an error with try!; throw it on, or handle it."
            }
            if line.code.contains(#/\b(fatalError|preconditionFailure)\s*\(/#) {
                return "crashes on purpose; throw an error that says what to do."
            }
            return nil
        }
    }

    /// Foundation's `Process` learns of a child's end from a socket that other children may have inherited.
    static func blockingProcesses(in file: SourceFile) -> [Violation] {
        violations(in: file) { line in
            line.code.contains("Process(") && line.code.contains(#/\bProcess\s*\(\s*\)/#)
                ? "starts a child whose end may wait for the end of others; use Subprocess." : nil
        }
    }

    static func sleepsInTests(in file: SourceFile) -> [Violation] {
        violations(in: file) { line in
            line.code.contains("sleep")
                && line.code.contains(#/\bTask\s*\.\s*sleep\b|\bThread\s*\.\s*sleep\b|\b(usleep|nanosleep)\s*\(/#)
                ? "sleeps in a test; await the event itself, with a probe or an injected clock." : nil
        }
    }

    /// SQL is written in capitals here, which tells it from prose.
    static func strayQueries(in file: SourceFile) -> [Violation] {
        let isStore = file.name.contains(#/Store(\+\w+)?\.swift$/#)
        guard !isStore, !["Shared/Outbox", "Shared/Persistence", "Shared/TestSupport"].contains(file.target) else {
            return []
        }
        let pattern =
            #/\bSELECT\s|\bINSERT\s+(OR\s+\w+\s+)?INTO\b|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b|\bCREATE\s+(UNIQUE\s+)?(TABLE|INDEX)\b/#
        return violations(in: file) { line in
            !line.literals.isEmpty && line.literals.contains(pattern)
                ? "has SQL outside of a store; make it a named transaction of the service's …Store.swift." : nil
        }
    }

    /// Every public type and function says what it is. Left out are initializers and properties, which are the parts
    /// of a type that is documented, and the functions of a type that conforms to a protocol with requirements, where
    /// they are documented.
    static func undocumented(in file: SourceFile) -> [Violation] {
        let declaration =
            #/^\s*(@\w+(\([^)]*\))?\s+)*(open|public)\s+(?!import\b|extension\b)(\w+(\(\w+\))?\s+)*(func|struct|class|enum|actor|protocol|typealias|macro)\b/#
        let lines = file.text.lines
        let scopes = scopes(of: lines)
        let conforming = Set(scopes.compactMap(conformingType))
        return lines.indices.compactMap { index in
            let code = lines[index].code
            guard code.contains("public") || code.contains("open"), let match = code.firstMatch(of: declaration)
            else { return nil }
            let isMember = ["func", "typealias"].contains(match.6)
            guard !isMember || typeName(scopes[index]).map(conforming.contains) != true else { return nil }
            // Attributes and directives may stand between the comment and its declaration.
            let above = lines[..<index].last { line in
                let text = line.raw.drop { $0 == " " }
                return !text.hasPrefix("@") && !text.hasPrefix("#")
            }
            let text = above.map { $0.raw.drop { $0 == " " } } ?? ""
            guard !text.hasPrefix("///"), !text.hasSuffix("*/") else { return nil }
            return file.violation(
                at: index, "is public without a /// comment; say what it is, its units and its errors.")
        }
    }

    /// Protocols of which the compiler writes the requirements itself.
    private static let withoutRequirements: Set = ["Sendable", "Equatable", "Hashable", "Error", "CaseIterable"]

    private static func typeName(_ scope: String) -> Substring? {
        scope.firstMatch(of: #/\b(?:struct|class|enum|actor|protocol|extension)\s+([\w.]+)/#)?.1
    }

    /// The type that a head names, when it gives it a conformance to a protocol that has requirements.
    private static func conformingType(_ scope: String) -> Substring? {
        let head = #/\b(?:struct|class|enum|actor|protocol|extension)\s+([\w.]+)(?:<[^>]*>)?\s*:(.*)/#
        guard let match = scope.firstMatch(of: head) else { return nil }
        let protocols = match.2.prefix { $0 != "{" }.split { !$0.isLetter && !$0.isNumber }
        return protocols.contains { !withoutRequirements.contains(String($0)) } ? match.1 : nil
    }

    /// For each line, the head of the declaration whose braces it is in: `extension SQL: Sendable`.
    private static func scopes(of lines: [SourceText.Line]) -> [String] {
        var stack: [String] = []
        var head = ""
        return lines.map { line in
            let scope = stack.last ?? ""
            for character in line.code {
                switch character {
                case "{":
                    stack.append(head)
                    head = ""
                case "}":
                    _ = stack.popLast()
                    head = ""
                default: head.append(character)
                }
            }
            // A head may go on over lines, as long as it has begun and not ended.
            if !head.contains(#/\b(struct|class|enum|actor|protocol|extension)\b/#) { head = "" }
            return scope
        }
    }

    private static func violations(
        in file: SourceFile, _ objection: (SourceText.Line) -> String?
    ) -> [Violation] {
        file.text.lines.enumerated().compactMap { index, line in
            objection(line).map { file.violation(at: index, $0) }
        }
    }
}
