import Testing

/// The rules of the design that the compiler does not check, over all sources of the package.
@Suite struct TidyTests {
    private static let read = Result { try SourceTree() }

    private let tree: SourceTree

    init() throws {
        tree = try Self.read.get()
    }

    @Test func importsPointOneWay() {
        expectNone(tree.files.flatMap(ImportRules.violations))
    }

    @Test func queriesAreInStores() {
        expectNone(tree.files(in: "Services", "Shared", "deploy").flatMap(CodeRules.strayQueries))
    }

    @Test func servicesHaveTheSameFiles() {
        expectNone(FolderRules.violations(paths: tree.servicePaths, files: tree.files(in: "Services")))
    }

    @Test func concurrencyIsStructuredAndErrorsAreThrown() {
        expectNone(tree.files(in: "Services", "Shared", "deploy").flatMap(CodeRules.forbiddenCalls))
    }

    @Test func childrenAreStartedBySubprocess() {
        expectNone(tree.files(in: "Services", "Shared", "Tests", "deploy").flatMap(CodeRules.blockingProcesses))
    }

    @Test func testsAwaitEvents() {
        expectNone(tree.files(in: "Tests").flatMap(CodeRules.sleepsInTests))
    }

    @Test func publicSymbolsAreDocumented() {
        expectNone(tree.files(in: "Shared").flatMap(CodeRules.undocumented))
    }

    /// Each violation is an issue of its own, so that the list of what to do is what the run prints.
    private func expectNone(_ violations: [Violation], at location: SourceLocation = #_sourceLocation) {
        for violation in violations {
            Issue.record("\(violation)", sourceLocation: location)
        }
    }
}
