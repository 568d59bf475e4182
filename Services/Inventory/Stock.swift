import Contracts

/// How much there is of a product.
struct Stock: Equatable, Sendable {
    /// In the warehouse, held for orders or not.
    var onHand: Int
    /// Held for orders that aren't decided yet.
    var reserved: Int
    /// Gone out to customers.
    var sold: Int

    /// What can still be ordered.
    var available: Int { onHand - reserved }
}

/// What inventory holds for one order.
struct Reservation: Equatable, Sendable {
    enum Status: String, Sendable {
        case held, sold, released
        /// There was not enough, so nothing is held.
        case refused
        /// The order was cancelled after it was confirmed, and its goods had not left.
        case returned
    }

    let orderID: OrderID
    private(set) var status: Status

    /// A transition that the reservation's status doesn't allow.
    struct TransitionRefused: Error, Equatable, CustomStringConvertible {
        let from: Status
        let to: Status
        var description: String { "A reservation that is \(from) can't become \(to)." }
    }

    /// What a step does to the stock of each line.
    enum Movement: Equatable, Sendable {
        case none
        /// From reserved to sold.
        case sell
        /// From reserved to available.
        case release
        /// From sold to on hand.
        case putBack
    }

    /// The order was confirmed.
    mutating func sell() throws(TransitionRefused) -> Movement {
        switch status {
        case .held:
            status = .sold
            return .sell
        // A stop may overtake the confirmation.
        case .sold, .returned: return .none
        case .released, .refused: throw TransitionRefused(from: status, to: .sold)
        }
    }

    /// The order was cancelled.
    mutating func release() throws(TransitionRefused) -> Movement {
        switch status {
        case .held:
            status = .released
            return .release
        case .released, .refused, .returned: return .none
        case .sold: throw TransitionRefused(from: .sold, to: .released)
        }
    }

    /// The order's goods stay after all.
    mutating func takeBack() throws(TransitionRefused) -> Movement {
        switch status {
        case .held:
            status = .returned
            return .release
        case .sold:
            status = .returned
            return .putBack
        case .returned: return .none
        case .released, .refused: throw TransitionRefused(from: status, to: .returned)
        }
    }
}
