import Foundation

/// How a customer pays. The embedded gateway knows the test methods below; a real one has its own.
public struct PaymentMethod: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Succeeds.
    public static let ok: PaymentMethod = "pm_ok"
    /// Is declined.
    public static let declined: PaymentMethod = "pm_declined"
    /// Succeeds, but later than an order waits.
    public static let slow: PaymentMethod = "pm_slow"
    /// Is never answered.
    public static let silent: PaymentMethod = "pm_silent"
    /// Succeeds; the gateway fails a few calls on the way and reports twice.
    public static let flaky: PaymentMethod = "pm_flaky"

    /// The methods that the embedded gateway takes.
    public static let testMethods: [PaymentMethod] = [.ok, .declined, .slow, .silent, .flaky]
}

/// Command to payment: take the money for an order. The result comes as a webhook.
public struct ChargePayment: MessagePayload {
    public static let type = "shop.payment.charge.v1"
    public var orderId: OrderID
    public var customerId: CustomerID
    public var amount: Money
    public var paymentMethod: PaymentMethod

    public init(orderId: OrderID, customerId: CustomerID, amount: Money, paymentMethod: PaymentMethod) {
        self.orderId = orderId
        self.customerId = customerId
        self.amount = amount
        self.paymentMethod = paymentMethod
    }
}

/// Command to payment: give the money of an order back.
public struct RefundPayment: MessagePayload {
    public static let type = "shop.payment.refund.v1"
    public var orderId: OrderID
    public var reason: CancellationReason

    public init(orderId: OrderID, reason: CancellationReason) {
        self.orderId = orderId
        self.reason = reason
    }
}

/// The body of payment's webhook to order, shaped as the Standard Webhooks specification recommends.
public struct PaymentWebhook: Codable, Equatable, Sendable {
    public var type: Kind
    public var timestamp: Date
    public var data: Result

    /// What happened to the charge.
    public enum Kind: String, Codable, Sendable {
        case succeeded = "payment.succeeded"
        case failed = "payment.failed"
        case refunded = "payment.refunded"
    }

    /// The charge that it happened to.
    public struct Result: Codable, Equatable, Sendable {
        public var orderId: OrderID
        public var chargeId: ChargeID
        public var amount: Money
        /// The gateway's word for a failure, such as `card_declined`.
        public var failureCode: String?

        public init(orderId: OrderID, chargeId: ChargeID, amount: Money, failureCode: String? = nil) {
            self.orderId = orderId
            self.chargeId = chargeId
            self.amount = amount
            self.failureCode = failureCode
        }
    }

    public init(type: Kind, timestamp: Date, data: Result) {
        self.type = type
        self.timestamp = timestamp
        self.data = data
    }
}
