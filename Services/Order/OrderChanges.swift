import Contracts
import Outbox
import Synchronization

/// Tells those who wait that an order has changed, so that they needn't ask again and again.
final class OrderChanges: Sendable {
    /// A place in the line of those who wait for one order. Take it before looking at the order, so that no change
    /// falls in between.
    struct Ticket: Sendable {
        fileprivate let number: Int
        fileprivate let order: OrderID
        let signal = Signal()
    }

    private struct State {
        var nextNumber = 0
        var waiting: [OrderID: [Int: Signal]] = [:]
    }

    private let state = Mutex(State())

    /// Waits in line for as long as `body` runs.
    func withTicket<Value: Sendable>(
        for order: OrderID, _ body: (Ticket) async throws -> Value
    ) async rethrows -> Value {
        let ticket = state.withLock { state in
            state.nextNumber += 1
            let ticket = Ticket(number: state.nextNumber, order: order)
            state.waiting[order, default: [:]][ticket.number] = ticket.signal
            return ticket
        }
        defer {
            state.withLock { state in
                state.waiting[order]?[ticket.number] = nil
                if state.waiting[order]?.isEmpty == true { state.waiting[order] = nil }
            }
        }
        return try await body(ticket)
    }

    func changed(_ order: OrderID) {
        let signals = state.withLock { $0.waiting[order].map { Array($0.values) } ?? [] }
        for signal in signals { signal.raise() }
    }
}
