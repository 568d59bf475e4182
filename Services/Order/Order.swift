import Contracts
import Foundation

/// An order and where it stands. Its transitions throw when they aren't allowed, so that no other part of the service
/// has to know which are.
struct Order: Equatable, Sendable {
    enum Status: String, Sendable, CaseIterable {
        case placed, reserved, confirmed, shipped, delivered, cancelled, refunded
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
    /// Since when a confirmed order waits to hear whether its goods can still be stopped.
    private(set) var cancellationRequestedAt: Date?
    /// From `placed` to the present status.
    private(set) var history: [Step]

    /// A new order.
    init(
        id: OrderID, customer: Customer, lines: [OrderLine], total: Money, paymentMethod: PaymentMethod,
        correlationID: String, at time: Date
    ) {
        self.init(
            id: id, customer: customer, lines: lines, total: total, paymentMethod: paymentMethod,
            correlationID: correlationID, status: .placed, reason: nil, cancellationRequestedAt: nil,
            history: [Step(status: .placed, at: time)])
    }

    /// Whether it is decided if the customer gets it; what is bought may still be given back.
    var isSettled: Bool {
        switch status {
        case .placed, .reserved: false
        case .confirmed, .shipped, .delivered, .cancelled, .refunded: true
        }
    }

    /// An order as it was stored.
    init(
        id: OrderID, customer: Customer, lines: [OrderLine], total: Money, paymentMethod: PaymentMethod,
        correlationID: String, status: Status, reason: CancellationReason?, cancellationRequestedAt: Date?,
        history: [Step]
    ) {
        self.id = id
        self.customer = customer
        self.lines = lines
        self.total = total
        self.paymentMethod = paymentMethod
        self.correlationID = correlationID
        self.status = status
        self.reason = reason
        self.cancellationRequestedAt = cancellationRequestedAt
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
        case .reserved, .confirmed, .shipped, .delivered, .cancelled, .refunded:
            throw TransitionRefused(from: status, to: .reserved)
        }
    }

    /// Its money is there.
    mutating func confirm(at time: Date) throws(TransitionRefused) {
        switch status {
        case .reserved: enter(.confirmed, at: time)
        case .placed, .confirmed, .shipped, .delivered, .cancelled, .refunded:
            throw TransitionRefused(from: status, to: .confirmed)
        }
    }

    /// It comes to nothing.
    mutating func cancel(because reason: CancellationReason, at time: Date) throws(TransitionRefused) {
        switch status {
        case .placed, .reserved, .confirmed:
            self.reason = reason
            cancellationRequestedAt = nil
            enter(.cancelled, at: time)
        case .shipped, .delivered, .cancelled, .refunded: throw TransitionRefused(from: status, to: .cancelled)
        }
    }

    /// Its customer doesn't want it any more, and its goods are to be stopped.
    /// - Returns: whether that is news.
    mutating func requestCancellation(at time: Date) throws(TransitionRefused) -> Bool {
        switch status {
        case .confirmed:
            guard cancellationRequestedAt == nil else { return false }
            cancellationRequestedAt = time
            return true
        case .placed, .reserved, .shipped, .delivered, .cancelled, .refunded:
            throw TransitionRefused(from: status, to: .cancelled)
        }
    }

    /// Its goods could not be stopped.
    /// - Returns: whether somebody was waiting for that.
    mutating func refuseCancellation() throws(TransitionRefused) -> Bool {
        switch status {
        case .confirmed, .shipped, .delivered:
            defer { cancellationRequestedAt = nil }
            return cancellationRequestedAt != nil
        case .placed, .reserved, .cancelled, .refunded: throw TransitionRefused(from: status, to: status)
        }
    }

    /// Its goods are on their way.
    mutating func ship(at time: Date) throws(TransitionRefused) {
        switch status {
        case .confirmed: enter(.shipped, at: time)
        case .placed, .reserved, .shipped, .delivered, .cancelled, .refunded:
            throw TransitionRefused(from: status, to: .shipped)
        }
    }

    /// Its goods have arrived.
    mutating func deliver(at time: Date) throws(TransitionRefused) {
        switch status {
        case .shipped: enter(.delivered, at: time)
        case .placed, .reserved, .confirmed, .delivered, .cancelled, .refunded:
            throw TransitionRefused(from: status, to: .delivered)
        }
    }

    /// Its money went back.
    mutating func refund(at time: Date) throws(TransitionRefused) {
        switch status {
        case .cancelled: enter(.refunded, at: time)
        case .placed, .reserved, .confirmed, .shipped, .delivered, .refunded:
            throw TransitionRefused(from: status, to: .refunded)
        }
    }

    private mutating func enter(_ status: Status, at time: Date) {
        self.status = status
        history.append(Step(status: status, at: time))
    }
}
