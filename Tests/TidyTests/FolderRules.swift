/// Each service is one flat folder with the same files everywhere.
enum FolderRules {
    private static let longestMain = 25
    /// Words that name no thing, and so collect anything.
    private static let vague = ["Util", "Helper", "Misc", "Common", "Extensions", "Manager", "Stuff"]

    /// `paths` are all paths below `Services/`.
    static func violations(paths: [String], files: [SourceFile]) -> [Violation] {
        let services = Set(paths.map { $0.split(separator: "/").prefix(2).joined(separator: "/") })
        return services.sorted().flatMap { service in
            missing(in: service, paths: paths)
                + files.filter { $0.target == service }.flatMap(misnamed)
        }
    }

    private static func missing(in service: String, paths: [String]) -> [Violation] {
        let name = service.split(separator: "/").last.map(String.init) ?? service
        let needed = [
            "Main.swift": "add it with @main: configuration, build, run.",
            "\(name)+build.swift": "add it as the composition root, the only place where concrete types meet.",
            "README.md": "add it: what the service owns, consumes and publishes, its endpoints, a runnable command.",
        ]
        return needed.sorted { $0.key < $1.key }.compactMap { file, advice in
            paths.contains("\(service)/\(file)")
                ? nil : Violation(path: "\(service)/\(file)", line: nil, rule: "is missing; \(advice)")
        }
    }

    private static func misnamed(_ file: SourceFile) -> [Violation] {
        var rules: [String] = []
        if file.path.split(separator: "/").count > 3 {
            rules.append("is in a folder of its own; a service is one flat folder.")
        }
        if !file.name.contains(#/^[A-Z][A-Za-z0-9]*(\+[A-Za-z]\w*)?\.swift$/#) {
            rules.append("has another kind of name; call it by a noun in UpperCamelCase, or Noun+aspect.swift.")
        }
        if let word = vague.first(where: file.name.contains) {
            rules.append("is named by a word that says nothing (\(word)); call it by the thing that it holds.")
        }
        let lines = file.text.lines.last?.raw.isEmpty == true ? file.text.lines.count - 1 : file.text.lines.count
        if file.name == "Main.swift", lines > longestMain {
            rules.append("has \(lines) lines; keep it to \(longestMain) and move the rest to the composition root.")
        }
        return rules.map { Violation(path: file.path, line: nil, rule: $0) }
    }
}
