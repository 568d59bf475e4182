import Contracts
import Foundation
import Hummingbird
import ServiceKit

/// Loyalty's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: LoyaltyStore

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/customers/:id/points", use: show)
    }

    /// A customer who never ordered has no points, which is not an error: loyalty knows of customers only by orders.
    @Sendable private func show(request: Request, context: ShopRequestContext) async throws -> Response {
        let customer = CustomerID(rawValue: try context.pathParameter("id"))
        let cursor = request.queryParameter("cursor").map(OrderID.init(rawValue:))
        let account = try await store.account(of: customer, after: cursor, limit: Self.pageSize + 1)
        let page = account.entries.prefix(Self.pageSize)
        return try Response(
            json: PointsView(
                customerId: customer, points: account.points,
                entries: page.flatMap { PointsView.Entry.list($0) },
                nextCursor: account.entries.count > Self.pageSize ? page.last?.orderID : nil))
    }
}

/// The answer to `GET /customers/{id}/points`.
struct PointsView: Codable, Sendable {
    struct Entry: Codable, Sendable {
        let orderId: OrderID
        let points: Int64
        let at: Date

        /// What was given for an order and, if it was, taken back. One that was cancelled before it could be given
        /// points has neither.
        static func list(_ entry: PointsEntry) -> [Entry] {
            let given = Entry(orderId: entry.orderID, points: entry.points, at: entry.at)
            guard let reversedAt = entry.reversedAt else { return [given] }
            if entry.points == 0 { return [] }
            return [given, Entry(orderId: entry.orderID, points: -entry.points, at: reversedAt)]
        }
    }

    let customerId: CustomerID
    let points: Int64
    let entries: [Entry]
    let nextCursor: OrderID?
}
