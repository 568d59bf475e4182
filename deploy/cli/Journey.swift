import Foundation

/// How an order ended.
enum Outcome: String, Codable, Sendable, CaseIterable {
    case confirmed, cancelled, refunded
    case unsettled

    /// `unsettled` while an order with this status may still go either way.
    init(status: String) {
        switch status {
        case "confirmed", "shipped", "delivered": self = .confirmed
        case "cancelled": self = .cancelled
        case "refunded": self = .refunded
        default: self = .unsettled
        }
    }
}

/// One thing that happened to an order, as it was seen from here.
struct Step: Codable, Equatable, Sendable {
    let orderId: String
    let service: String
    let step: String
    let detail: String?
    /// Since the order was sent.
    let elapsedMilliseconds: Double
    /// The service's own time, where it gives one.
    let at: String?
}

/// What has been seen of one order so far. Readings go in, in whatever order they come, and what is new in them
/// comes out once.
struct Journey: Sendable {
    let orderID: String
    /// The services that this shop runs; nothing is expected of others.
    let services: Set<String>
    private(set) var status: String
    private var seenEntries = 0
    private var chargeStatus: [String: String] = [:]
    private var seenIDs: Set<String> = []
    private var effects = Effects()

    init(orderID: String, services: Set<String> = Set(ServiceTable.all.map(\.name))) {
        self.orderID = orderID
        self.services = services
        status = "placed"
    }

    /// How the order ended.
    var outcome: Outcome { Outcome(status: status) }

    /// Whether all that follows from the outcome has been seen, in every service.
    var isSettled: Bool {
        missing.isEmpty
    }

    /// What is still to come.
    var missing: [String] {
        let kinds: [String]
        switch outcome {
        case .unsettled: return ["an outcome"]
        case .confirmed: kinds = ["confirmed"]
        case .cancelled: kinds = ["cancelled"]
        case .refunded: kinds = ["refunded", "cancelled"]
        }
        let expected = [
            ("email", "its mail", hasMail(kinds)),
            ("loyalty", "its points", outcome != .confirmed || effects.points?.isEmpty == false),
            ("notification", "its notification", hasNotification(kinds)),
        ]
        return expected.filter { service, _, isThere in services.contains(service) && !isThere }.map(\.1)
    }

    mutating func see(_ order: OrderAnswer, after elapsed: Duration) -> [Step] {
        // Two who ask at once may be answered in the other order.
        guard order.history.count >= seenEntries else { return [] }
        status = order.status
        defer { seenEntries = order.history.count }
        return order.history.dropFirst(seenEntries).map { entry in
            let reason = entry.status == "cancelled" ? order.reason.map { "because of \($0)" } : nil
            return step("order", entry.status, reason, elapsed, at: entry.at)
        }
    }

    mutating func see(_ effects: Effects, after elapsed: Duration) -> [Step] {
        var steps: [Step] = []
        for charge in effects.charges ?? [] where chargeStatus[charge.chargeId] != charge.status {
            chargeStatus[charge.chargeId] = charge.status
            steps.append(step("payment", "charge \(charge.status)", "\(charge.amount)", elapsed, at: nil))
        }
        for entry in effects.points ?? [] where seenIDs.insert("points \(entry.at) \(entry.points)").inserted {
            steps.append(step("loyalty", "points", "\(entry.points)", elapsed, at: entry.at))
        }
        for mail in effects.mails ?? [] where seenIDs.insert("mail \(mail.messageId)").inserted {
            steps.append(step("email", "mail \(mail.kind)", "“\(mail.subject)” to \(mail.to)", elapsed, at: mail.at))
        }
        for note in effects.notifications ?? [] where seenIDs.insert("note \(note.id)").inserted {
            steps.append(step("notification", "notification \(note.kind)", "“\(note.text)”", elapsed, at: note.at))
        }
        self.effects = Effects(
            charges: effects.charges ?? self.effects.charges, mails: effects.mails ?? self.effects.mails,
            points: effects.points ?? self.effects.points,
            notifications: effects.notifications ?? self.effects.notifications)
        return steps
    }

    private func hasMail(_ kinds: [String]) -> Bool {
        effects.mails?.contains { Self.isKind($0.kind, oneOf: kinds) } ?? false
    }

    private func hasNotification(_ kinds: [String]) -> Bool {
        effects.notifications?.contains { Self.isKind($0.kind, oneOf: kinds) } ?? false
    }

    /// `confirmed` and `order_confirmed` are of the kind `confirmed`.
    private static func isKind(_ kind: String, oneOf words: [String]) -> Bool {
        words.contains { kind == $0 || kind.hasSuffix("_\($0)") }
    }

    private func step(_ service: String, _ step: String, _ detail: String?, _ elapsed: Duration, at: String?) -> Step {
        Step(
            orderId: orderID, service: service, step: step, detail: detail,
            elapsedMilliseconds: elapsed.milliseconds, at: at)
    }
}
