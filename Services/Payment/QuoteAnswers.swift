import Contracts
import Hummingbird
import Messaging
import ServiceKit

/// Payment's part of a quote: the same question, asked by a message or over HTTP. It changes nothing, so that it needs
/// neither inbox nor outbox.
struct QuoteAnswers: Sendable {
    let delay: AnswerDelay

    func register(on responder: inout Responder) {
        responder.on(CalculateFee.self) { question in
            guard let answer = try await answer(question) else {
                throw Responder.Refusal(Self.unknown(question.paymentMethod))
            }
            return answer
        }
    }

    func add(to router: Router<ShopRequestContext>) {
        router.post("/fee") { request, _ in
            let question = try await request.decode(CalculateFee.self)
            try question.validate()
            guard let answer = try await answer(question) else {
                throw Problem.invalid(field: "paymentMethod", Self.unknown(question.paymentMethod))
            }
            return try Response(json: answer)
        }
    }

    /// - Returns: `nil` if there is no such method.
    private func answer(_ question: CalculateFee) async throws -> FeeCalculated? {
        try await delay.pass()
        return Fee.on(question.total, by: question.paymentMethod).map {
            FeeCalculated(paymentMethod: question.paymentMethod, amount: $0)
        }
    }

    private static func unknown(_ method: PaymentMethod) -> String {
        let known = PaymentMethod.testMethods.map(\.rawValue).joined(separator: ", ")
        return "There is no payment method '\(method)'; use one of \(known)."
    }
}

extension CalculateFee {
    /// - Throws: a problem that names the first field that is wrong.
    fileprivate func validate() throws(Problem) {
        guard total.amountMinorUnits >= 0 else {
            throw .invalid(field: "total.amountMinorUnits", "'total.amountMinorUnits' must not be negative.")
        }
        guard total.hasCurrencyCode else {
            throw .invalid(field: "total.currency", "'total.currency' must be an ISO 4217 code such as EUR.")
        }
    }
}
