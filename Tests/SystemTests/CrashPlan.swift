import Contracts
import TestSupport

/// What happens in the crash test: which orders are placed, and who is killed after how many steps of progress. The
/// same seed gives the same plan.
struct CrashPlan: Sendable {
    /// An order with the key that its retries use.
    struct Purchase: Sendable {
        let key: String
        let order: NewOrder
    }

    /// Programs to be killed once so many orders were accepted or settled, both counted together.
    struct Kill: Sendable, CustomStringConvertible {
        let afterSteps: Int
        let victims: [Program]

        var description: String { "\(afterSteps): \(victims.map(\.rawValue).joined(separator: "+"))" }
    }

    let purchases: [Purchase]
    let kills: [Kill]

    static let customers: [CustomerID] = (1...12).map { CustomerID(rawValue: "customer-\($0)") }

    private static let catalogue: [SKU] = [
        "BOOK-DDIA", "BOOK-EIP", "COFFEE-ESPRESSO-1KG", "COFFEE-FILTER-250G", "MUG-ENAMEL", "NOTEBOOK-A5",
        "PEN-FOUNTAIN-M", "TEA-SENCHA-100G",
    ]

    init(seed: UInt64, orders: Int, kills: Int) {
        var random = SeededGenerator(seed: seed)
        purchases = (1...orders).map { number in
            Purchase(key: "purchase-\(seed)-\(number)", order: Self.order(using: &random))
        }
        let distance = 2 * orders / (kills + 1)
        // Everybody's turn comes, again and again, in an order that can't be foreseen.
        var queue: [Program] = []
        self.kills = (1...kills).map { number in
            if queue.isEmpty { queue = Program.mortal.shuffled(using: &random) }
            // Once, in the middle, all die at the same moment.
            let victims = number == kills / 2 ? Program.mortal : [queue.removeFirst()]
            let jitter = Int.random(in: 0..<max(1, distance / 2), using: &random)
            return Kill(afterSteps: number * distance - jitter, victims: victims)
        }
    }

    /// How the accepted orders are paid.
    func methods(of accepted: [String: OrderID]) -> [OrderID: PaymentMethod] {
        Dictionary(
            purchases.compactMap { purchase in accepted[purchase.key].map { ($0, purchase.order.paymentMethod) } },
            uniquingKeysWith: { first, _ in first })
    }

    private static func order(using random: inout SeededGenerator) -> NewOrder {
        let method: PaymentMethod =
            switch Int.random(in: 0..<100, using: &random) {
            case ..<66: .ok
            case ..<78: .flaky
            case ..<90: .declined
            case ..<95: .slow
            default: .silent
            }
        let customer = customers.randomElement(using: &random) ?? customers[0]
        // More than there are of a print that there are three of: most who want it are too late.
        if Int.random(in: 0..<100, using: &random) < 5 {
            return NewOrder(by: customer, "LIMITED-PRINT-7", paying: method)
        }
        let skus = catalogue.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
        var order = NewOrder(by: customer, skus[0], paying: method)
        order.items = skus.map { NewOrder.Item(sku: $0, quantity: Int.random(in: 1...3, using: &random)) }
        return order
    }
}
