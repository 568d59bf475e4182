import Foundation

// What the services answer, as far as this program shows it.

struct Money: Codable, Equatable, Sendable {
    let amountMinorUnits: Int
    let currency: String
}

extension Money: CustomStringConvertible {
    /// The currencies of ISO 4217 without minor units that a shop is likely to meet.
    private static let withoutMinorUnits: Set<String> = ["CLP", "ISK", "JPY", "KRW", "VND"]

    var description: String {
        guard !Self.withoutMinorUnits.contains(currency) else { return "\(amountMinorUnits) \(currency)" }
        return String(format: "%d.%02d %@", amountMinorUnits / 100, abs(amountMinorUnits % 100), currency)
    }
}

struct OrderAnswer: Codable, Equatable, Sendable {
    struct Item: Codable, Equatable, Sendable {
        let sku: String
        let quantity: Int
    }

    struct Entry: Codable, Equatable, Sendable {
        let status: String
        let at: String
    }

    struct Customer: Codable, Equatable, Sendable {
        let id: String
        let email: String
    }

    let orderId: String
    let status: String
    let reason: String?
    /// Since when it waits to hear whether its goods can still be stopped.
    var cancellationRequestedAt: String?
    let correlationId: String
    let customer: Customer
    let items: [Item]
    let total: Money
    let history: [Entry]
}

struct PlacedAnswer: Codable, Equatable, Sendable {
    let orderId: String
    let status: String
    let correlationId: String
    let total: Money
}

struct Product: Codable, Equatable, Sendable {
    let sku: String
    let name: String
    let price: Money
    let onHand: Int
    let reserved: Int

    var available: Int { onHand - reserved }
}

struct Charge: Codable, Equatable, Sendable {
    let chargeId: String
    let orderId: String
    let status: String
    let amountMinorUnits: Int
    let currency: String

    var amount: Money { Money(amountMinorUnits: amountMinorUnits, currency: currency) }
}

struct Mail: Codable, Equatable, Sendable {
    let messageId: String
    let to: String
    let subject: String
    let kind: String
    let at: String
}

struct PointsEntry: Codable, Equatable, Sendable {
    let orderId: String
    let points: Int
    let at: String
}

struct Shipment: Codable, Equatable, Sendable {
    let orderId: String
    let status: String
}

struct Notification: Codable, Equatable, Sendable {
    let id: String
    let orderId: String
    let kind: String
    let text: String
    let at: String
}

/// What the other services know of an order. `nil` means that the service did not answer.
struct Effects: Codable, Equatable, Sendable {
    var charges: [Charge]?
    var mails: [Mail]?
    var points: [PointsEntry]?
    var notifications: [Notification]?
}
