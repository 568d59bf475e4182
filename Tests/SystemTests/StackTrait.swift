import Testing

/// All system tests, one after the other: each of them wants the whole machine.
@Suite("The whole shop", .serialized) enum SystemTests {}

/// Gives a suite, or a test, a stack of its own.
struct StackTrait: SuiteTrait, TestTrait, TestScoping {
    let settings: Stack.Settings

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await Stack.run(settings) { _ in
            do {
                try await function()
            } catch {
                // Said here and not further out, where the logs are gone.
                Issue.record(error, sourceLocation: test.sourceLocation)
            }
        }
    }
}

extension Trait where Self == StackTrait {
    /// A stack with everything running.
    static var stack: Self { StackTrait(settings: Stack.Settings()) }

    /// A stack as the test wants it.
    static func stack(
        starting: [Program] = Program.allCases, paymentTimeoutSeconds: Int = 5, holdBackSeconds: Int = 60,
        recordsTraces: Bool = false, movesToServer: Bool = false
    ) -> Self {
        StackTrait(
            settings: Stack.Settings(
                starting: starting, movesToServer: movesToServer, paymentTimeoutSeconds: paymentTimeoutSeconds,
                recordsTraces: recordsTraces,
                holdBackSeconds: holdBackSeconds))
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Shows with the first issues how the logs of the stack end.
    static var logs: Self {
        .compactMapIssues { issue in
            guard let stack = Stack.current, stack.mayShowLogs() else { return issue }
            var issue = issue
            for program in Program.watched {
                let lines = stack.logLines(of: program)
                let notable = lines.filter { !$0.contains(#""level":"info""#) }.suffix(5)
                let text = (notable + ["…"] + lines.suffix(3)).joined(separator: "\n")
                issue.comments.append(Comment(rawValue: "\(program) (\(lines.count) lines):\n\(text)"))
            }
            return issue
        }
    }
}

/// The stack of the running test.
func currentStack() throws -> Stack {
    guard let stack = Stack.current else { throw SystemTestError("The test has no .stack trait.") }
    return stack
}
