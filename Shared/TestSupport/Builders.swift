import Contracts
import Foundation

extension CloudEvent {
    /// An event with everything filled in; give what the test is about.
    public static func sample(
        _ data: Payload, id: String = UUIDv7.make(), source: String = "/services/test", subject: String = "order-1",
        time: Date = Date(timeIntervalSince1970: 1_772_366_400), correlationID: String = "correlation-1",
        causationID: String? = nil, expirytime: Date? = nil, replyto: String? = nil
    ) -> Self {
        CloudEvent(
            attributes: EventAttributes(
                id: id, source: source, type: Payload.type, subject: subject, time: time, correlationid: correlationID,
                causationid: causationID, partitionkey: subject, expirytime: expirytime, replyto: replyto),
            data: data)
    }

    /// The event as it is sent.
    public func json() throws -> String { try ContractJSON.encode(self) }
}

extension Customer {
    /// Somebody who buys.
    public static let ada = Customer(id: "ada", email: "ada@example.com")
}

extension OrderPlaced {
    /// Two notebooks for Ada.
    public static func sample(orderId: OrderID = "order-1") -> OrderPlaced {
        let price = Money(amountMinorUnits: 999, currency: "EUR")
        return OrderPlaced(
            orderId: orderId, customer: .ada, items: [OrderLine(sku: "NOTEBOOK", quantity: 2, unitPrice: price)],
            total: Money(amountMinorUnits: 1998, currency: "EUR"))
    }
}
