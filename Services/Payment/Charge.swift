import Contracts
import Foundation

/// The money for one order, and where it stands.
struct Charge: Equatable, Sendable {
    enum Status: String, Sendable {
        /// Asked for, at the gateway or about to be.
        case requested
        case succeeded, failed
        /// To be returned; the gateway has not confirmed it yet.
        case refunding
        case refunded
    }

    let id: ChargeID
    let orderID: OrderID
    let amount: Money
    let paymentMethod: PaymentMethod
    private(set) var status: Status
    /// The gateway's word for a failure.
    private(set) var failureCode: String?

    /// A charge that was just asked for.
    init(id: ChargeID, orderID: OrderID, amount: Money, paymentMethod: PaymentMethod) {
        self.init(
            id: id, orderID: orderID, amount: amount, paymentMethod: paymentMethod, status: .requested,
            failureCode: nil)
    }

    /// A charge as it was stored.
    init(
        id: ChargeID, orderID: OrderID, amount: Money, paymentMethod: PaymentMethod, status: Status,
        failureCode: String?
    ) {
        self.id = id
        self.orderID = orderID
        self.amount = amount
        self.paymentMethod = paymentMethod
        self.status = status
        self.failureCode = failureCode
    }
}

// MARK: - Transitions

extension Charge {
    /// A transition that the charge's status doesn't allow.
    struct TransitionRefused: Error, Equatable, CustomStringConvertible {
        let from: Status
        let to: Status
        var description: String { "A charge that is \(from) can't become \(to)." }
    }

    /// The gateway has said how it ended.
    /// - Returns: whether that is news.
    mutating func settle(_ result: GatewayResult) throws(TransitionRefused) -> Bool {
        switch (status, result) {
        case (.requested, .succeeded):
            status = .succeeded
            return true
        case (.requested, .failed(let code)):
            status = .failed
            failureCode = code
            return true
        case (.succeeded, .succeeded), (.refunding, .succeeded), (.refunded, .succeeded), (.failed, .failed):
            return false
        case (.succeeded, .failed), (.refunding, .failed), (.refunded, .failed):
            throw TransitionRefused(from: status, to: .failed)
        case (.failed, .succeeded):
            throw TransitionRefused(from: status, to: .succeeded)
        }
    }

    /// The money is to go back.
    /// - Returns: whether that is news.
    mutating func startRefund() throws(TransitionRefused) -> Bool {
        switch status {
        case .succeeded:
            status = .refunding
            return true
        case .refunding, .refunded: return false
        case .requested, .failed: throw TransitionRefused(from: status, to: .refunding)
        }
    }

    /// The gateway has returned the money.
    mutating func finishRefund() throws(TransitionRefused) {
        switch status {
        case .refunding: status = .refunded
        case .requested, .succeeded, .failed, .refunded: throw TransitionRefused(from: status, to: .refunded)
        }
    }
}
