import Contracts
import Foundation

/// An order and where it stands. Its transitions throw when they aren't allowed, so that no other part of the service
/// has to know which are.
struct Order: Equatable, Sendable {
    enum Status: String, Sendable, CaseIterable {
        case placed, reserved, confirmed, cancelled, refunded
    }

    /// A status and when it was reached.
    struct Step: Equatable, Sendable {
        let status: Status
        let at: Date
    }

    let id: OrderID
    let customer: Customer
    let lines: [OrderLine]
    let total: Money
    let paymentMethod: PaymentMethod
    let correlationID: String
    private(set) var status: Status
    /// Why it was cancelled.
    private(set) var reason: CancellationReason?
    /// From `placed` to the present status.
    private(set) var history: [Step]

    /// A new order.
    init(
        id: OrderID, customer: Customer, lines: [OrderLine], total: Money, paymentMethod: PaymentMethod,
        correlationID: String, at time: Date
    ) {
        self.init(
            id: id, customer: customer, lines: lines, total: total, paymentMethod: paymentMethod,
            correlationID: correlationID, status: .placed, reason: nil, history: [Step(status: .placed, at: time)])
    }

    /// An order as it was stored.
    init(
        id: OrderID, customer: Customer, lines: [OrderLine], total: Money, paymentMethod: PaymentMethod,
        correlationID: String, status: Status, reason: CancellationReason?, history: [Step]
    ) {
        self.id = id
        self.customer = customer
        self.lines = lines
        self.total = total
        self.paymentMethod = paymentMethod
        self.correlationID = correlationID
        self.status = status
        self.reason = reason
        self.history = history
    }
}

// MARK: - Transitions

extension Order {
    /// A transition that the order's status doesn't allow.
    struct TransitionRefused: Error, Equatable, CustomStringConvertible {
        let from: Status
        let to: Status
        var description: String { "An order that is \(from) can't become \(to)." }
    }

    /// Its stock is held.
    mutating func reserve(at time: Date) throws(TransitionRefused) {
        switch status {
        case .placed: enter(.reserved, at: time)
        case .reserved, .confirmed, .cancelled, .refunded: throw TransitionRefused(from: status, to: .reserved)
        }
    }

    /// Its money is there.
    mutating func confirm(at time: Date) throws(TransitionRefused) {
        switch status {
        case .reserved: enter(.confirmed, at: time)
        case .placed, .confirmed, .cancelled, .refunded: throw TransitionRefused(from: status, to: .confirmed)
        }
    }

    /// It comes to nothing.
    mutating func cancel(because reason: CancellationReason, at time: Date) throws(TransitionRefused) {
        switch status {
        case .placed, .reserved:
            self.reason = reason
            enter(.cancelled, at: time)
        case .confirmed, .cancelled, .refunded: throw TransitionRefused(from: status, to: .cancelled)
        }
    }

    /// Money that had come after all went back.
    mutating func refund(at time: Date) throws(TransitionRefused) {
        switch status {
        case .cancelled: enter(.refunded, at: time)
        case .placed, .reserved, .confirmed, .refunded: throw TransitionRefused(from: status, to: .refunded)
        }
    }

    private mutating func enter(_ status: Status, at time: Date) {
        self.status = status
        history.append(Step(status: status, at: time))
    }
}
