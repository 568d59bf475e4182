import Metrics

/// What PostgreSQL, or the connection to it, says when something fails.
struct PostgreSQLFailure: Error, Equatable, CustomStringConvertible {
    /// By PostgreSQL's table of error codes (appendix A); `nil` if it was the connection that failed.
    let state: String?
    let message: String
    /// Whether it was the answer to `COMMIT` that failed.
    var isAtCommit = false

    var description: String { message }

    /// Whether the connection is gone: it broke, was never there, or the server has ended it.
    var isLoss: Bool {
        guard let state else { return true }
        // The server shuts down, starts, has no place left, has waited too long in the middle of a transaction, or takes no
        // writes any more, as one does whose place another has taken.
        return state.hasPrefix("08") || ["57P01", "57P02", "57P03", "53300", "25P03", "25006"].contains(state)
    }

    /// Whether two transactions got into each other's way and this one has to give in.
    var isConflict: Bool { state == "40001" || state == "40P01" }

    /// What the database's user is told.
    var error: DatabaseError {
        switch state {
        case "53100": .diskFull
        case .some(let state) where state.hasPrefix("23"): .constraint(message)
        default: .engine(message)
        }
    }
}

/// Decides whether a transaction that failed is run again.
///
/// - After a conflict it is, for nothing of it was kept, and one of those who were in each other's way has come through.
/// - After a loss of the connection it is, for some time, as long as `COMMIT` hadn't been sent: the server rolls back what
///   it doesn't hear the end of. Later, nobody knows. PostgreSQL could be asked (`pg_xact_status`), but may give the
///   transaction's number to another one if it has crashed meanwhile; so the caller is told, who has the inbox, an
///   idempotency key or a look at the state to make sure that nothing happens twice.
/// - What violates a uniqueness is tried once more: whoever was quicker may not have been visible then.
struct PostgreSQLRetry {
    enum Verdict: Equatable {
        case again(after: Duration)
        case fail(DatabaseError)
    }

    /// A read can be repeated whatever has become of it.
    let isRead: Bool
    private var conflicts = 0
    private var losses = 0
    private var hasViolated = false

    static let mostConflicts = 100
    /// How long a server may be away: longer than a restart takes.
    static let patience: Duration = .seconds(20)

    init(isRead: Bool) { self.isRead = isRead }

    /// - Parameters:
    ///   - elapsed: since the first attempt began.
    ///   - jitter: picks from a range, so that those who were in each other's way don't meet again.
    mutating func verdict(
        on failure: PostgreSQLFailure, after elapsed: Duration,
        jitter: (ClosedRange<Double>) -> Double = { Double.random(in: $0) }
    ) -> Verdict {
        if failure.isConflict {
            conflicts += 1
            guard conflicts < Self.mostConflicts else { return .fail(failure.error) }
            return .again(after: .milliseconds(jitter(0...Double(min(1 << min(conflicts, 6), 50)))))
        }
        if failure.isLoss {
            if failure.isAtCommit, !isRead { return .fail(.outcomeUnknown(failure.message)) }
            guard elapsed < Self.patience else { return .fail(.unreachable(failure.message)) }
            defer { losses += 1 }
            // The first one is mostly an old connection, whose server has been restarted long ago.
            return .again(after: losses == 0 ? .zero : .milliseconds(jitter(50...500)))
        }
        if failure.state == "23505", !hasViolated {
            hasViolated = true
            return .again(after: .zero)
        }
        return .fail(failure.error)
    }
}

extension PostgreSQLRetry {
    /// Runs `attempt` until it succeeds or is not to be run again.
    static func run<Value>(isRead: Bool, _ attempt: () async throws -> Value) async throws -> Value {
        let started = ContinuousClock.now
        var retry = PostgreSQLRetry(isRead: isRead)
        while true {
            do {
                return try await attempt()
            } catch let failure as PostgreSQLFailure {
                switch retry.verdict(on: failure, after: ContinuousClock.now - started) {
                case .fail(let error): throw error
                case .again(let pause):
                    Counter(
                        label: "postgresql.retries", dimensions: [("reason", failure.isConflict ? "conflict" : "loss")]
                    ).increment()
                    // A task that is to end doesn't wait for a server; what got in another's way comes to its end.
                    if failure.isLoss { try Task.checkCancellation() }
                    if pause > .zero { try? await Task.sleep(for: pause) }
                }
            }
        }
    }
}
