import Foundation

/// Finds orders by whatever somebody has at hand: an order's id, a customer's or a correlation id.
struct OrderSearch: Sendable {
    let services: ShopServices
    let store: TraceStore

    private struct Page: Decodable {
        let orders: [JSONValue]
        let nextCursor: String?
    }

    /// A page of orders, the newest first.
    struct Result: Encodable, Sendable {
        var orders: [JSONValue]
        var nextCursor: String?
    }

    /// One order, as its service tells it.
    func order(_ id: String) async throws -> JSONValue? {
        try await services.get("order", "/orders/\(id.escapedForURL)")
    }

    func list(status: String? = nil, cursor: String? = nil) async throws -> Result {
        let page = try await page([("status", status), ("cursor", cursor)])
        return Result(orders: page.orders, nextCursor: page.nextCursor)
    }

    /// The three meanings of the text are asked for at once; hardly any text has more than one.
    func find(_ text: String) async throws -> Result {
        async let byID = order(text)
        async let byCustomer = page([("customerId", text)])
        async let byCorrelation = page([("correlationId", text)])
        var orders = [try await byID].compactMap(\.self) + (try await byCorrelation).orders
        orders += (try await byCustomer).orders
        if orders.isEmpty, let id = try await store.subject(of: text).orderID, let order = try await order(id) {
            orders.append(order)
        }
        var seen: Set<String> = []
        return Result(orders: orders.filter { seen.insert($0["orderId"]?.string ?? "").inserted })
    }

    private func page(_ parameters: [(String, String?)]) async throws -> Page {
        let query = parameters.compactMap { name, value in value.map { "\(name)=\($0.escapedForURL)" } }
        let page: Page? = try await services.get("order", "/orders?\(query.joined(separator: "&"))")
        return page ?? Page(orders: [], nextCursor: nil)
    }
}
