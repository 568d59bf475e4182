import Foundation

/// A file of the package, by its path from the root.
struct SourceFile {
    let path: String
    let text: SourceText

    init(path: String, contents: String) {
        self.path = path
        text = SourceText(contents)
    }

    var name: String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The folder that makes the target: `Services/Order`.
    var target: String {
        path.split(separator: "/").prefix(2).joined(separator: "/")
    }

    func violation(at index: Int, _ rule: String) -> Violation {
        Violation(path: path, line: index + 1, rule: rule)
    }
}

/// What is wrong where, and what to do about it.
struct Violation: Equatable, CustomStringConvertible {
    let path: String
    let line: Int?
    let rule: String

    var description: String {
        line.map { "\(path):\($0): \(rule)" } ?? "\(path): \(rule)"
    }
}

/// The sources of the package.
struct SourceTree {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    let files: [SourceFile]
    /// All paths below the services' folders, of whatever kind.
    let servicePaths: [String]

    init() throws {
        let paths = try ["Services", "Shared", "deploy", "Tests"].flatMap(Self.paths)
        files = try paths.filter { $0.hasSuffix(".swift") }.map { path in
            let url = Self.root.appendingPathComponent(path)
            return SourceFile(path: path, contents: try String(contentsOf: url, encoding: .utf8))
        }
        servicePaths = paths.filter { $0.hasPrefix("Services/") }
    }

    func files(in folders: String...) -> [SourceFile] {
        files.filter { file in folders.contains { file.path.hasPrefix("\($0)/") } }
    }

    private static func paths(below folder: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            .map { "\(folder)/\($0)" }.sorted()
    }
}
