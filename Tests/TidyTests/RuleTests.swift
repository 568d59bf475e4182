import Testing

/// The rules find what they are there for, and leave the rest alone.
@Suite struct RuleTests {
    @Test func textIsTakenApart() {
        let text = SourceText(
            """
            let a = "SELECT \\(list.map { "x\\($0)" }) FROM t" // Task {
            /* try! /* nested */ fatalError() */ let b = #"a "quoted" \\n"#
            """)
        #expect(text.lines[0].code == "let a = \"list.map { \"$0\" }\" ")
        #expect(text.lines[0].literals.contains("SELECT "))
        #expect(text.lines[0].raw.hasSuffix("// Task {"))
        #expect(text.lines[1].code == " let b = \"\"")
        #expect(text.lines[1].literals == #" a "quoted" \n"#)
    }

    @Test(arguments: [
        "Task { await x() }", "Task(priority: .high) { }", "let t = Task<Void, Never> {", "Task.detached {",
        "Thread.sleep(forTimeInterval: 1)", "usleep(10)", "try! x()", "fatalError()",
    ])
    func forbiddenCallsAreFound(code: String) {
        let found = CodeRules.forbiddenCalls(in: SourceFile(path: "Shared/Outbox/Relay.swift", contents: "\n\(code)"))
        #expect(found.map(\.line) == [2])
    }

    @Test(arguments: [
        "group.addTask { }", "try await Task.sleep(for: .seconds(1))", "// Task {", "\"fatalError()\"",
        "await withTaskGroup(of: Void.self) { }", "clock.sleep(until: deadline)", "Task.checkCancellation()",
    ])
    func otherCallsAreLeftAlone(code: String) {
        #expect(CodeRules.forbiddenCalls(in: SourceFile(path: "Shared/Outbox/Relay.swift", contents: code)) == [])
    }

    @Test func blockingProcessesAreFound() {
        let file = SourceFile(path: "Tests/XTests/XTests.swift", contents: "let child = Process()\nServiceProcess()")
        #expect(CodeRules.blockingProcesses(in: file).map(\.line) == [1])
    }

    @Test func sleepsInTestsAreFound() {
        let file = SourceFile(path: "Tests/XTests/XTests.swift", contents: "try await " + "Task" + ".sleep(for: .zero)")
        #expect(CodeRules.sleepsInTests(in: file).count == 1)
    }

    @Test(arguments: [
        "\"SELECT a FROM b\"", "\"INSERT OR IGNORE INTO b\"", "\"UPDATE b SET a = 1\"",
        "\"\"\"\n  DELETE FROM b\n\"\"\"",
    ])
    func strayQueriesAreFound(code: String) {
        #expect(CodeRules.strayQueries(in: SourceFile(path: "Services/Order/Routes.swift", contents: code)).count == 1)
        #expect(CodeRules.strayQueries(in: SourceFile(path: "Services/Order/OrderStore.swift", contents: code)) == [])
        #expect(CodeRules.strayQueries(in: SourceFile(path: "Shared/Outbox/Inbox.swift", contents: code)) == [])
        let part = SourceFile(path: "Services/Order/OrderStore+Prices.swift", contents: code)
        #expect(CodeRules.strayQueries(in: part) == [])
    }

    @Test func undocumentedSymbolsAreFound() {
        let contents = """
            /// Said.
            @inlinable
            public func said() {}
            public struct Unsaid {
                public private(set) var count = 0
                public init() {}
                public static func unsaid() {}
                /** Said. */
                public func said() {}
            }
            public import Foundation
            extension Unsaid: Sendable {
                public mutating func unsaid() {}
            }
            /// Said.
            public final class Conforming<T>:
                Witness
            {
                public func witness() {}
            }
            extension Conforming {
                public func witnessToo() {}
            }
            """
        let found = CodeRules.undocumented(in: SourceFile(path: "Shared/Contracts/X.swift", contents: contents))
        #expect(found.map(\.line) == [4, 7, 13])
    }

    @Test(arguments: [
        ("Services/Order", "Payment"), ("Shared/Contracts", "Logging"), ("Shared/Messaging", "Outbox"),
        ("Shared/ServiceKit", "Contracts"), ("Services/Broker", "Contracts"), ("Services/Order", "TestSupport"),
        ("Shared/Webhooks", "Telemetry"), ("deploy/cli", "Order"),
    ])
    func wrongImportsAreFound(target: String, module: String) {
        #expect(ImportRules.objection(to: module, in: target) != nil)
    }

    @Test(arguments: [
        ("Services/Order", "Contracts"), ("Shared/Outbox", "Messaging"), ("Tests/SystemTests", "Order"),
        ("Shared/Messaging", "Telemetry"), ("Services/Broker", "Persistence"), ("Shared/Contracts", "Foundation"),
    ])
    func rightImportsAreLeftAlone(target: String, module: String) {
        #expect(ImportRules.objection(to: module, in: target) == nil)
    }

    @Test(arguments: [
        "import Order", "@testable import Order", "public import struct Order.Item", "@preconcurrency import Order",
        "@_spi(Testing) import Order",
    ])
    func importsAreRead(code: String) {
        #expect(ImportRules.imported(by: code) == "Order")
    }

    @Test func foldersAreChecked() {
        let files = [
            SourceFile(path: "Services/Order/Main.swift", contents: String(repeating: "//\n", count: 26)),
            SourceFile(path: "Services/Order/Domain/Order.swift", contents: ""),
            SourceFile(path: "Services/Order/OrderUtils.swift", contents: ""),
            SourceFile(path: "Services/Order/orderStore.swift", contents: ""),
        ]
        let found = FolderRules.violations(paths: files.map(\.path), files: files).map(\.path)
        #expect(
            found == [
                "Services/Order/Order+build.swift", "Services/Order/README.md", "Services/Order/Main.swift",
                "Services/Order/Domain/Order.swift", "Services/Order/OrderUtils.swift",
                "Services/Order/orderStore.swift",
            ])
    }
}
