/// Which of the package's modules may import which. Dependencies point one way.
enum ImportRules {
    static let services: Set = [
        "Broker", "Console", "Order", "Payment", "Inventory", "Email", "Loyalty", "Notification",
    ]

    /// What each library may import of the others.
    static let shared: [String: Set<String>] = [
        "AWSSignature": [],
        "Contracts": [],
        "Persistence": ["CPostgreSQL"],
        "Telemetry": [],
        "Webhooks": [],
        "CCurl": [],
        "CPostgreSQL": [],
        "CZlib": [],
        "Messaging": ["AWSSignature", "Contracts", "Telemetry"],
        "Outbox": ["Contracts", "Messaging", "Persistence", "Telemetry"],
        "ServiceKit": ["Telemetry"],
        "TestSupport": ["Contracts", "Messaging", "Outbox", "Persistence", "Telemetry"],
    ]

    static func violations(in file: SourceFile) -> [Violation] {
        file.text.lines.enumerated().compactMap { index, line in
            guard let module = imported(by: line.code) else { return nil }
            return objection(to: module, in: file.target).map { file.violation(at: index, $0) }
        }
    }

    /// `nil` when the import is right.
    static func objection(to module: String, in target: String) -> String? {
        let parts = target.split(separator: "/").map(String.init)
        guard let kind = parts.first, let name = parts.last, kind != "Tests" else { return nil }
        if services.contains(module), module != name {
            return "imports the service \(module); talk to it by messages or HTTP, and share types in Shared/Contracts."
        }
        if module == "TestSupport" {
            return "imports TestSupport, which is for Tests alone; move what is needed to where it is used."
        }
        if name == "Broker", kind == "Services", ["Contracts", "Messaging", "Outbox"].contains(module) {
            return "imports \(module); the broker knows nothing of the shop, so keep it to the wire protocols."
        }
        guard kind == "Shared" else { return nil }
        if name == "Contracts", module != "Foundation" {
            return "imports \(module); contracts are plain types and need Foundation alone."
        }
        guard shared.keys.contains(module) else { return nil }
        guard let allowed = shared[name] else {
            return "is in a library that ImportRules does not know; add Shared/\(name) there with what it may import."
        }
        guard !allowed.contains(module) else { return nil }
        let list = allowed.isEmpty ? "no sibling" : "only \(allowed.sorted().joined(separator: ", "))"
        return "imports \(module), but \(name) may import \(list); move the code to where the dependency points."
    }

    /// The module that a line imports, for every form of the declaration.
    static func imported(by code: String) -> String? {
        guard code.contains("import") else { return nil }
        let pattern =
            #/^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/#
        return code.firstMatch(of: pattern).map { String($0.1) }
    }
}
