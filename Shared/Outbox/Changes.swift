import Persistence
import Synchronization

/// Tells those who wait that something has changed, so that they needn't ask again and again.
public final class Changes<Subject: Hashable & Sendable>: Sendable {
    /// A place in the line of those who wait for one subject. Take it before looking at the subject, so that no change
    /// falls in between.
    public struct Ticket: Sendable {
        /// Raised with each change.
        public let signal = Signal()
    }

    private struct State {
        var nextNumber = 0
        var waiting: [Subject: [Int: @Sendable () -> Void]] = [:]
    }

    private let state = Mutex(State())

    private let lookInterval: Duration?

    /// - Parameter lookInterval: how often to look without being told, where other processes make changes too.
    public init(lookingEvery lookInterval: Duration? = nil) { self.lookInterval = lookInterval }

    /// Waits in line for as long as `body` runs.
    public func withTicket<Value>(for subject: Subject, _ body: (Ticket) async throws -> Value) async rethrows -> Value
    {
        let ticket = Ticket()
        return try await withObserver(of: subject, ticket.signal.raise) { try await body(ticket) }
    }

    /// Calls `observer`, which must return at once, with each change for as long as `body` runs.
    public func withObserver<Value>(
        of subject: Subject, _ observer: @escaping @Sendable () -> Void, _ body: () async throws -> Value
    ) async rethrows -> Value {
        let number = state.withLock { state in
            state.nextNumber += 1
            state.waiting[subject, default: [:]][state.nextNumber] = observer
            return state.nextNumber
        }
        defer {
            state.withLock { state in
                state.waiting[subject]?[number] = nil
                if state.waiting[subject]?.isEmpty == true { state.waiting[subject] = nil }
            }
        }
        guard let lookInterval else { return try await body() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while (try? await Task.sleep(for: lookInterval)) != nil { observer() }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// Wakes all who wait for the subject. Call it after the commit.
    public func changed(_ subject: Subject) {
        let observers = state.withLock { $0.waiting[subject].map { Array($0.values) } ?? [] }
        for observer in observers { observer() }
    }
}
