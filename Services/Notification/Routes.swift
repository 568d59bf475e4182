import Contracts
import Foundation
import Hummingbird
import ServiceKit

/// Notification's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: NotificationStore
    let feed: LiveFeed

    private static let pageSize = 100

    func add(to router: Router<ShopRequestContext>) {
        router.get("/customers/:id/notifications") { request, context in
            try await list(try context.customer, request)
        }
        router.get("/customers/:id/notifications/stream") { request, context in
            try await feed.open(try context.customer, request, context)
        }
        router.get("/warehouse/notifications") { request, _ in try await list(.warehouse, request) }
        router.get("/carrier/notifications") { request, _ in try await list(.carrier, request) }
    }

    /// A customer of whom nothing was heard has an empty list.
    private func list(_ recipient: Recipient, _ request: Request) async throws -> Response {
        guard let start = try await store.position(of: request.queryParameter("cursor"), in: recipient) else {
            throw Problem.unknownCursor(field: "cursor")
        }
        let entries = try await store.entries(of: recipient, after: start, limit: Self.pageSize + 1)
        let page = entries.prefix(Self.pageSize).map(\.notice)
        return try Response(
            json: NotificationList(
                notifications: page.map { NotificationView($0) },
                nextCursor: entries.count > Self.pageSize ? page.last?.id : nil))
    }
}

extension ShopRequestContext {
    fileprivate var customer: Recipient {
        get throws { .customer(CustomerID(rawValue: try pathParameter("id"))) }
    }
}

extension Problem {
    static func unknownCursor(field: String) -> Problem {
        .invalid(field: field, "Send the id of a line of this list, or none to begin at the start.")
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
