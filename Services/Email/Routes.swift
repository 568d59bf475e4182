import Contracts
import Foundation
import Hummingbird
import ServiceKit

/// What can be asked about mails.
struct Routes: Sendable {
    let store: MailStore

    private static let pageSizes = 1...100
    private static let pageSize = 50

    func add(to router: Router<ShopRequestContext>) {
        router.get("/mails") { request, _ in try await list(request) }
        router.get("/mails/:messageId") { _, context in
            try await show(MailID(rawValue: context.pathParameter("messageId")))
        }
    }

    /// `GET /mails?orderId=&cursor=&limit=`: what was delivered, the latest first.
    private func list(_ request: Request) async throws -> Response {
        let cursor = try request.queryParameter("cursor").map { text in
            guard let cursor = MailCursor(text: text) else {
                throw Problem.invalid(
                    field: "cursor", "Send the nextCursor of an earlier answer, or none to begin at the start.")
            }
            return cursor
        }
        let limit = try request.queryParameter("limit").map { text in
            guard let limit = Int(text), Self.pageSizes.contains(limit) else {
                throw Problem.invalid(
                    field: "limit",
                    "limit must be a whole number from \(Self.pageSizes.lowerBound) to \(Self.pageSizes.upperBound).")
            }
            return limit
        }
        let page = try await store.delivered(
            orderID: request.queryParameter("orderId").map(OrderID.init(rawValue:)), after: cursor,
            atMost: limit ?? Self.pageSize)
        return try Response(json: MailList(page))
    }

    /// `GET /mails/{messageId}`: one mail with its text, whatever has become of it.
    private func show(_ id: MailID) async throws -> Response {
        guard let mail = try await store.mail(id) else {
            throw Problem.notFound("There is no mail '\(id)'; GET /mails lists those that were delivered.")
        }
        return try Response(json: MailView(mail))
    }
}

private struct MailList: Encodable {
    let mails: [Entry]
    let nextCursor: String?

    struct Entry: Encodable {
        let messageId: MailID
        let orderId: OrderID?
        let to: String
        let subject: String
        let kind: String
        /// When it was delivered.
        let at: Date?
    }

    init(_ page: MailPage) {
        mails = page.mails.map { mail in
            Entry(
                messageId: mail.id, orderId: mail.orderID, to: mail.recipient, subject: mail.subject,
                kind: mail.kind.rawValue, at: mail.status.deliveredAt)
        }
        nextCursor = page.next?.text
    }
}

private struct MailView: Encodable {
    let messageId: MailID
    let orderId: OrderID?
    let to: String
    let subject: String
    let kind: String
    let text: String
    let status: String
    var at: Date?
    var reason: String?

    init(_ mail: Mail) {
        messageId = mail.id
        orderId = mail.orderID
        to = mail.recipient
        subject = mail.subject
        kind = mail.kind.rawValue
        text = mail.text
        switch mail.status {
        case .waiting: status = "waiting"
        case .delivered(let time):
            status = "delivered"
            at = time
        case .refused(let time, let reason):
            status = "refused"
            at = time
            self.reason = reason
        }
    }
}

extension MailStatus {
    fileprivate var deliveredAt: Date? {
        guard case .delivered(let time) = self else { return nil }
        return time
    }
}
