import Contracts
import ServiceKit

/// What somebody orders, or thinks of ordering, at the prices that the service knows.
struct Basket: Equatable, Sendable {
    let lines: [OrderLine]
    let total: Money
}

/// Prices baskets from the service's own copy of the catalogue.
struct Pricing: Sendable {
    let store: OrderStore

    /// - Throws: a problem that names the first item that has no price, or says why there can be no total.
    func basket(of items: [PlaceOrder.Item]) async throws -> Basket {
        let products = try await store.products(items.map(\.sku))
        var lines: [OrderLine] = []
        for (index, item) in items.enumerated() {
            guard let product = products[item.sku] else {
                if try await !store.hasWholePriceList() {
                    throw Problem.unavailable("The price list has not arrived as a whole yet; try again in a moment.")
                }
                throw Problem.invalid(
                    field: "items[\(index)].sku",
                    "There is no product '\(item.sku)'; inventory's GET /products lists what there is.")
            }
            lines.append(OrderLine(sku: item.sku, quantity: item.quantity, unitPrice: product.price))
        }
        return Basket(lines: lines, total: try Self.total(of: lines))
    }

    private static func total(of lines: [OrderLine]) throws(Problem) -> Money {
        let currency = lines[0].unitPrice.currency
        guard lines.allSatisfy({ $0.unitPrice.currency == currency }) else {
            throw Problem.invalid(field: "items", "All items of an order must have the same currency; split it.")
        }
        var total: Int64 = 0
        for line in lines {
            let (amount, isTooMuch) = line.unitPrice.amountMinorUnits.multipliedReportingOverflow(
                by: Int64(line.quantity))
            let (sum, isTooMuchInAll) = total.addingReportingOverflow(amount)
            guard !isTooMuch, !isTooMuchInAll else {
                throw Problem.invalid(field: "items", "The order's total is too large; split it.")
            }
            total = sum
        }
        return Money(amountMinorUnits: total, currency: currency)
    }
}
