import Synchronization

/// Tells those who wait that something has changed, so that they needn't ask again and again.
public final class Changes<Subject: Hashable & Sendable>: Sendable {
    /// A place in the line of those who wait for one subject. Take it before looking at the subject, so that no change
    /// falls in between.
    public struct Ticket: Sendable {
        fileprivate let number: Int
        /// Raised with each change.
        public let signal = Signal()
    }

    private struct State {
        var nextNumber = 0
        var waiting: [Subject: [Int: Signal]] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// Waits in line for as long as `body` runs.
    public func withTicket<Value>(for subject: Subject, _ body: (Ticket) async throws -> Value) async rethrows -> Value
    {
        let ticket = state.withLock { state in
            state.nextNumber += 1
            let ticket = Ticket(number: state.nextNumber)
            state.waiting[subject, default: [:]][ticket.number] = ticket.signal
            return ticket
        }
        defer {
            state.withLock { state in
                state.waiting[subject]?[ticket.number] = nil
                if state.waiting[subject]?.isEmpty == true { state.waiting[subject] = nil }
            }
        }
        return try await body(ticket)
    }

    /// Wakes all who wait for the subject. Call it after the commit.
    public func changed(_ subject: Subject) {
        let signals = state.withLock { $0.waiting[subject].map { Array($0.values) } ?? [] }
        for signal in signals { signal.raise() }
    }
}
