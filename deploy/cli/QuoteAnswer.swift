/// What `POST /quotes` answers.
struct QuoteAnswer: Codable, Equatable, Sendable {
    struct Availability: Codable, Equatable, Sendable {
        struct Item: Codable, Equatable, Sendable {
            let sku: String
            let requested: Int
            let available: Int
        }

        let isAvailable: Bool
        let shipsOn: String
        let items: [Item]
    }

    struct Discount: Codable, Equatable, Sendable {
        let points: Int
        let percent: Int
        let amount: Money
    }

    struct Missing: Codable, Equatable, Sendable {
        let part: String
        let from: String
        let reason: String
        let detail: String
    }

    let correlationId: String
    let mode: String
    let elapsedMilliseconds: Int
    let total: Money
    let availability: Availability?
    let discount: Discount?
    let fee: Money?
    let payable: Money?
    let missing: [Missing]

    /// For people, a fact a line.
    var lines: [String] {
        var lines = ["total         \(total)"]
        if let discount {
            lines.append("discount      \(discount.amount) (\(discount.percent) % for \(discount.points) points)")
        }
        if let fee { lines.append("fee           \(fee)") }
        if let payable { lines.append("to be paid    \(payable)") }
        if let availability {
            lines.append("ships on      \(availability.shipsOn)")
            for item in availability.items where item.available < item.requested {
                lines.append("short         \(item.sku): \(item.available) of \(item.requested)")
            }
        }
        lines += missing.map { "missing       \($0.part) from \($0.from): \($0.detail)" }
        lines.append("asked         \(mode), answered after \(elapsedMilliseconds) ms, correlation id \(correlationId)")
        return lines
    }
}

/// The body of `POST /quotes`.
struct QuoteQuestion: Codable, Equatable, Sendable {
    let customerId: String
    let items: [OrderAnswer.Item]
    let paymentMethod: String
    var deadlineMilliseconds: Int?
}
