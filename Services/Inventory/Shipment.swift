import Contracts
import Foundation

/// The goods of one confirmed order on their way to the customer.
struct Shipment: Equatable, Sendable {
    enum Status: String, Sendable, CaseIterable {
        case preparing, packed, shipped, delivered
        /// The order was cancelled before the goods left.
        case stopped
    }

    let orderID: OrderID
    let customer: CustomerID
    private(set) var status: Status
    /// What it was before the step that has just been taken.
    private(set) var previous: Status?
    private(set) var updatedAt: Date

    init(orderID: OrderID, customer: CustomerID, status: Status, updatedAt: Date) {
        self.orderID = orderID
        self.customer = customer
        self.status = status
        self.updatedAt = updatedAt
    }

    /// A transition that the shipment's status doesn't allow.
    struct TransitionRefused: Error, Equatable, CustomStringConvertible {
        let from: Status
        let to: Status
        var description: String { "A shipment that is \(from) can't become \(to)." }
    }

    /// The warehouse or the carrier has done the next step.
    /// - Returns: whether that is news.
    mutating func move(to next: Status, at time: Date) throws(TransitionRefused) -> Bool {
        if status == next { return false }
        switch (status, next) {
        case (.preparing, .packed), (.packed, .shipped), (.shipped, .delivered): enter(next, at: time)
        case (.preparing, _), (.packed, _), (.shipped, _), (.delivered, _), (.stopped, _):
            throw TransitionRefused(from: status, to: next)
        }
        return true
    }

    /// The order was cancelled.
    /// - Returns: whether that is news.
    mutating func stop(at time: Date) throws(TransitionRefused) -> Bool {
        switch status {
        case .preparing, .packed:
            enter(.stopped, at: time)
            return true
        case .stopped: return false
        case .shipped, .delivered: throw TransitionRefused(from: status, to: .stopped)
        }
    }

    private mutating func enter(_ status: Status, at time: Date) {
        previous = self.status
        self.status = status
        updatedAt = time
    }
}

extension Shipment {
    /// The word for it in events.
    var event: ShipmentStatusChanged {
        ShipmentStatusChanged(
            orderId: orderID, customerId: customer, status: ShipmentStatus(rawValue: status.rawValue),
            previous: previous.map { ShipmentStatus(rawValue: $0.rawValue) })
    }
}
