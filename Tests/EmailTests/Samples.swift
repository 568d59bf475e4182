import Contracts
import Foundation

@testable import Email

/// 1 March 2026, 12:00 UTC.
let noon = Date(timeIntervalSince1970: 1_772_366_400)

extension MailMessage {
    static func sample(
        id: MailID = "event-1@async-shop", to: String = "ada@example.com", subject: String = "Hello",
        text: String = "Hello,\n\ngood to see you.\n", correlationID: String = "correlation-1"
    ) throws -> MailMessage {
        MailMessage(
            id: id, from: try address("shop@example.com"), to: try address(to), date: noon, subject: subject,
            text: text,
            correlationID: correlationID)
    }
}

func address(_ text: String) throws -> EmailAddress {
    guard let address = EmailAddress(text) else { throw NoAddress(text: text) }
    return address
}

struct NoAddress: Error {
    let text: String
}

extension Money {
    static func euros(_ cents: Int64) -> Money { Money(amountMinorUnits: cents, currency: "EUR") }
}

extension OrderConfirmed {
    static func sample(
        orderId: OrderID = "order-1", email: String = "ada@example.com", sku: SKU = "MUG-01"
    ) -> OrderConfirmed {
        OrderConfirmed(
            orderId: orderId, customer: Customer(id: "ada", email: email),
            items: [
                OrderLine(sku: sku, quantity: 2, unitPrice: .euros(1250)),
                OrderLine(sku: "TEA-GREEN", quantity: 1, unitPrice: .euros(499)),
            ],
            total: .euros(2999))
    }
}
