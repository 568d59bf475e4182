import Contracts
import Testing

@testable import Loyalty

@Suite("Discounts") struct DiscountTests {
    @Test(
        "The more points, the more percent",
        arguments: [(-1, 0), (0, 0), (99, 0), (100, 2), (499, 2), (500, 5), (1999, 5), (2000, 10), (1_000_000, 10)])
    func steps(points: Int64, percent: Int) {
        #expect(Discount(points: points, on: Money(amountMinorUnits: 1000, currency: "EUR")).percent == percent)
    }

    @Test(
        "The amount is rounded down, and no total is too large",
        arguments: [(0, 0), (19, 0), (20, 1), (149, 7), (150, 7), (160, 8), (Int64.max, Int64.max / 20)])
    func amount(total: Int64, amount: Int64) {
        let discount = Discount(points: 500, on: Money(amountMinorUnits: total, currency: "EUR"))
        #expect(discount.amount == Money(amountMinorUnits: amount, currency: "EUR"))
    }
}
