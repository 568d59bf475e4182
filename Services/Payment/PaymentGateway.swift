import Contracts

/// Whoever moves the money. It answers a charge at once with whether it takes it, and says later how it ended; it
/// recognises a repeated call by its idempotency key.
protocol PaymentGateway: Sendable {
    /// Asks for money.
    /// - Returns: why it is refused for good, or `nil` if the result comes later.
    /// - Throws: ``GatewayUnavailable``: it isn't known whether the charge was taken; ask again with the same key.
    func charge(_ request: GatewayCharge, idempotencyKey: String) async throws -> String?

    /// Returns the money of a charge that succeeded.
    /// - Throws: ``GatewayUnavailable``; ask again with the same key.
    func refund(_ charge: ChargeID, idempotencyKey: String) async throws
}

/// What a gateway needs to know.
struct GatewayCharge: Equatable, Sendable {
    let chargeID: ChargeID
    let orderID: OrderID
    let amount: Money
    let paymentMethod: PaymentMethod
}

/// How a charge ended.
enum GatewayResult: Equatable, Sendable {
    case succeeded
    case failed(code: String)
}

/// The gateway gave no usable answer.
struct GatewayUnavailable: Error, Equatable, CustomStringConvertible {
    let description: String
}
