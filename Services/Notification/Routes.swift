import Contracts
import Foundation
import Hummingbird
import ServiceKit

/// Notification's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: NotificationStore

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/customers/:id/notifications", use: list)
    }

    /// A customer of whom nothing was heard has an empty list.
    @Sendable private func list(request: Request, context: ShopRequestContext) async throws -> Response {
        let customer = CustomerID(rawValue: try context.pathParameter("id"))
        let cursor = request.queryParameter("cursor")
        guard
            let notifications = try await store.notifications(
                of: customer, after: cursor, limit: Self.pageSize + 1)
        else {
            throw Problem.invalid(
                field: "cursor", "Send the nextCursor of an earlier answer, or none to begin at the start.")
        }
        let page = notifications.prefix(Self.pageSize)
        return try Response(
            json: NotificationList(
                notifications: page.map { NotificationView($0) },
                nextCursor: notifications.count > Self.pageSize ? page.last?.id : nil))
    }
}

/// A line of a customer's list.
struct NotificationView: Codable, Sendable {
    let id: String
    let orderId: OrderID
    let kind: String
    let text: String
    let at: Date

    init(_ notification: CustomerNotification) {
        id = notification.id
        orderId = notification.orderID
        kind = notification.kind.rawValue
        text = notification.text
        at = notification.at
    }
}

/// The answer to `GET /customers/{id}/notifications`.
struct NotificationList: Codable, Sendable {
    let notifications: [NotificationView]
    let nextCursor: String?
}
