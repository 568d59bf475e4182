import Contracts
import Foundation
import Hummingbird
import ServiceKit

/// Notification's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: NotificationStore

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/customers/:id/notifications") { request, context in
            try await list(.customer(CustomerID(rawValue: try context.pathParameter("id"))), request)
        }
        router.get("/warehouse/notifications") { request, _ in try await list(.warehouse, request) }
        router.get("/carrier/notifications") { request, _ in try await list(.carrier, request) }
    }

    /// A customer of whom nothing was heard has an empty list.
    private func list(_ recipient: Recipient, _ request: Request) async throws -> Response {
        let cursor = request.queryParameter("cursor")
        guard
            let notifications = try await store.notifications(
                of: recipient, after: cursor, limit: Self.pageSize + 1)
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

/// A line of a list.
struct NotificationView: Codable, Sendable {
    let id: String
    let orderId: OrderID
    let kind: String
    let text: String
    let at: Date

    init(_ notice: Notice) {
        id = notice.id
        orderId = notice.orderID
        kind = notice.kind.rawValue
        text = notice.text
        at = notice.at
    }
}

/// The answer to `GET /customers/{id}/notifications` and its like.
struct NotificationList: Codable, Sendable {
    let notifications: [NotificationView]
    let nextCursor: String?
}
