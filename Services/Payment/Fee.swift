import Contracts

/// What paying costs on top: a share of the amount that depends on the method.
enum Fee {
    /// In hundredths of a percent. The gateway's test methods stand for a card, except for the slow one, which stands
    /// for a bank transfer, and the silent one, for an invoice.
    private static let basisPoints: [PaymentMethod: Int64] = [
        .ok: 150, .declined: 150, .flaky: 150, .slow: 0, .silent: 200,
    ]

    /// - Returns: the fee, rounded up to the next minor unit; `nil` if the method is unknown.
    static func on(_ amount: Money, by method: PaymentMethod) -> Money? {
        basisPoints[method].map { share in
            // In two parts, so that no amount is too large to be multiplied.
            let (whole, rest) = amount.amountMinorUnits.quotientAndRemainder(dividingBy: 10_000)
            return Money(
                amountMinorUnits: whole * share + (rest * share + 9_999) / 10_000, currency: amount.currency)
        }
    }
}
