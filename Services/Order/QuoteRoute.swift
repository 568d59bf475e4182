import Contracts
import Foundation
import Hummingbird
import ServiceKit
import Telemetry
import Tracing

/// `POST /quotes`: what an order would cost, and when it would leave. It stores and holds nothing, and answers by the
/// deadline with what is known by then.
struct QuoteRoute<WaitClock: Clock<Duration>>: Sendable {
    let pricing: Pricing
    let desk: QuoteDesk<WaitClock>

    func add(to router: Router<ShopRequestContext>) {
        router.post("/quotes", use: quote)
    }

    @Sendable private func quote(request: Request, context: ShopRequestContext) async throws -> Response {
        let mode = try Self.mode(request)
        let body = try await request.decode(AskForQuote.self)
        try body.validate()
        let start = desk.clock.now
        let basket = try await pricing.basket(of: body.items)
        let question = QuoteQuestion(
            customer: body.customerId, basket: basket, paymentMethod: body.paymentMethod)
        let limit = Duration.milliseconds(body.deadlineMilliseconds ?? AskForQuote.usualDeadline)
        let gathering = try await context.cancelWhenAbandoned {
            let gathering = await desk.gather(question, mode, within: limit)
            try Task.checkCancellation()
            return gathering
        }
        return try Response(
            json: QuoteView(
                gathering, of: basket, mode: mode.rawValue, took: start.duration(to: desk.clock.now),
                correlationID: ServiceContext.current?.correlationID ?? ""))
    }

    private static func mode(_ request: Request) throws(Problem) -> QuoteDesk<WaitClock>.Mode {
        guard let word = request.queryParameter("mode") else { return .parallel }
        guard let mode = QuoteDesk<WaitClock>.Mode(rawValue: word) else {
            throw .invalid(field: "mode", "'mode' must be parallel or sequential.")
        }
        return mode
    }
}

// MARK: - Bodies

/// The body of `POST /quotes`.
struct AskForQuote: Codable, Sendable {
    let customerId: CustomerID
    let items: [PlaceOrder.Item]
    let paymentMethod: PaymentMethod
    let deadlineMilliseconds: Int?

    static let usualDeadline = 300
    private static let deadlines = 10...5000

    /// - Throws: a problem that names the first field that is wrong.
    func validate() throws(Problem) {
        try PlaceOrder.requireName(customerId.rawValue, "customerId")
        try PlaceOrder.requireName(paymentMethod.rawValue, "paymentMethod")
        try PlaceOrder.validate(items)
        guard Self.deadlines.contains(deadlineMilliseconds ?? Self.usualDeadline) else {
            throw .invalid(
                field: "deadlineMilliseconds",
                "'deadlineMilliseconds' must be from \(Self.deadlines.lowerBound) to \(Self.deadlines.upperBound).")
        }
    }
}

/// The answer to `POST /quotes`.
struct QuoteView: Codable, Sendable {
    struct Discount: Codable, Sendable {
        let points: Int64
        let percent: Int
        let amount: Money
    }

    struct Missing: Codable, Sendable {
        let part: String
        /// The service that was to know it.
        let from: String
        let reason: String
        let detail: String
    }

    let correlationId: String
    let mode: String
    let elapsedMilliseconds: Int
    let total: Money
    let availability: AvailabilityChecked?
    let discount: Discount?
    let fee: Money?
    /// The total with discount and fee, if both are known.
    let payable: Money?
    let missing: [Missing]

    init(_ gathering: Gathering, of basket: Basket, mode: String, took: Duration, correlationID: String) {
        correlationId = correlationID
        self.mode = mode
        elapsedMilliseconds = Int(took / .milliseconds(1))
        total = basket.total
        var (availability, discount, fee): (AvailabilityChecked?, Discount?, Money?)
        var missing: [Missing] = []
        for part in Gathering.Part.allCases {
            switch gathering[part] {
            case .here(.availability(let answer)): availability = answer
            case .here(.discount(let answer)):
                discount = Discount(points: answer.points, percent: answer.percent, amount: answer.amount)
            case .here(.fee(let answer)): fee = answer.amount
            case .waiting:
                missing.append(
                    part, "no_answer_in_time",
                    "\(part.service) didn't answer within \(Int(gathering.limit / .milliseconds(1))) ms.")
            case .notAsked:
                missing.append(part, "not_asked", "The time was up before it was the turn of \(part.service).")
            case .failed(.refused(let reason)): missing.append(part, "refused", reason)
            case .failed(.unreachable(let reason)): missing.append(part, "unreachable", reason)
            }
        }
        self.availability = availability
        self.discount = discount
        self.fee = fee
        self.missing = missing
        payable = Self.payable(basket.total, discount: discount?.amount, fee: fee)
    }

    private static func payable(_ total: Money, discount: Money?, fee: Money?) -> Money? {
        guard let discount, let fee else { return nil }
        let (sum, isTooMuch) = (total.amountMinorUnits - discount.amountMinorUnits)
            .addingReportingOverflow(fee.amountMinorUnits)
        return isTooMuch ? nil : Money(amountMinorUnits: sum, currency: total.currency)
    }
}

extension [QuoteView.Missing] {
    fileprivate mutating func append(_ part: Gathering.Part, _ reason: String, _ detail: String) {
        append(QuoteView.Missing(part: part.rawValue, from: part.service, reason: reason, detail: detail))
    }
}
