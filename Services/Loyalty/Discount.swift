import Contracts

/// What a customer saves by points: the more there are, the more percent. Points are looked at and not spent.
struct Discount: Equatable, Sendable {
    let percent: Int
    /// What is taken off, rounded down.
    let amount: Money

    private static let steps: [(points: Int64, percent: Int)] = [(2000, 10), (500, 5), (100, 2)]

    init(points: Int64, on total: Money) {
        percent = Self.steps.first { points >= $0.points }?.percent ?? 0
        let share = Int64(percent)
        // In two parts, so that no total is too large to be multiplied.
        let (hundreds, rest) = total.amountMinorUnits.quotientAndRemainder(dividingBy: 100)
        amount = Money(amountMinorUnits: hundreds * share + rest * share / 100, currency: total.currency)
    }
}
