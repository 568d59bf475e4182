import Contracts
import Hummingbird
import Messaging
import ServiceKit

/// Loyalty's part of a quote: the same question, asked by a message or over HTTP. It changes nothing, so that it needs
/// neither inbox nor outbox.
struct QuoteAnswers: Sendable {
    let store: LoyaltyStore
    let delay: AnswerDelay

    func register(on responder: inout Responder) {
        responder.on(CalculateDiscount.self, answer)
    }

    func add(to router: Router<ShopRequestContext>) {
        router.post("/discount") { request, _ in
            let question = try await request.decode(CalculateDiscount.self)
            try question.validate()
            return try Response(json: try await answer(question))
        }
    }

    @Sendable private func answer(_ question: CalculateDiscount) async throws -> DiscountCalculated {
        try await delay.pass()
        let points = try await store.balance(of: question.customerId)
        let discount = Discount(points: points, on: question.total)
        return DiscountCalculated(
            customerId: question.customerId, points: points, percent: discount.percent, amount: discount.amount)
    }
}

extension CalculateDiscount {
    /// - Throws: a problem that names the first field that is wrong.
    fileprivate func validate() throws(Problem) {
        guard (1...64).contains(customerId.rawValue.utf8.count) else {
            throw .invalid(field: "customerId", "'customerId' must have 1 to 64 characters.")
        }
        guard total.amountMinorUnits >= 0 else {
            throw .invalid(field: "total.amountMinorUnits", "'total.amountMinorUnits' must not be negative.")
        }
        guard total.hasCurrencyCode else {
            throw .invalid(field: "total.currency", "'total.currency' must be an ISO 4217 code such as EUR.")
        }
    }
}
