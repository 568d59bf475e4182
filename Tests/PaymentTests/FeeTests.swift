import Contracts
import Testing

@testable import Payment

@Suite("Fees") struct FeeTests {
    @Test(
        "A fee depends on the method and is rounded up",
        arguments: [
            (.ok, 1000, 15), (.ok, 1001, 16), (.ok, 1, 1), (.ok, 0, 0), (.flaky, 14_500, 218), (.slow, 1000, 0),
            (.silent, 1000, 20), (.silent, Int64.max, Int64.max / 50 + 1),
        ] as [(PaymentMethod, Int64, Int64)])
    func amount(method: PaymentMethod, total: Int64, fee: Int64) {
        let money = Money(amountMinorUnits: total, currency: "JPY")
        #expect(Fee.on(money, by: method) == Money(amountMinorUnits: fee, currency: "JPY"))
    }

    @Test("Each test method has a fee, another method has none") func methods() {
        let money = Money(amountMinorUnits: 1000, currency: "EUR")
        #expect(PaymentMethod.testMethods.allSatisfy { Fee.on(money, by: $0) != nil })
        #expect(Fee.on(money, by: "pm_none") == nil)
    }
}
