import Persistence
import Synchronization

/// Hands out sequences, of which none is ever used twice, not even after a crash: the disk knows a number that all of
/// them are below, raised in the transaction that first needs more. A restart goes on from there.
final class SequenceAllocator: Sendable {
    private struct State {
        var next: Int64
        var ceiling: Int64
    }

    private let state: Mutex<State>
    private static let block: Int64 = 1 << 20

    init(ceiling: Int64) { state = Mutex(State(next: ceiling, ceiling: ceiling)) }

    /// Takes consecutive sequences inside a write, of which only one runs at a time. A rollback leaves a gap.
    func take(_ count: Int, _ transaction: any Transaction) throws -> Int64 {
        let (first, end, ceiling) = state.withLock { state in
            let first = state.next
            state.next += Int64(count)
            return (first, state.next, state.ceiling)
        }
        if end > ceiling {
            let raised = end + Self.block
            try transaction.execute("UPDATE sequences SET ceiling = \(raised) WHERE ceiling < \(raised)")
            transaction.onCommit { self.state.withLock { $0.ceiling = max($0.ceiling, raised) } }
        }
        return first
    }
}
