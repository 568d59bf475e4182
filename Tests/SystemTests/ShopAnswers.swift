import Contracts

/// The body of `POST /orders`.
struct NewOrder: Codable, Equatable, Sendable {
    struct Item: Codable, Equatable, Sendable {
        var sku: SKU
        var quantity: Int
    }

    var customer: Customer
    var items: [Item]
    var paymentMethod: PaymentMethod

    init(by customer: CustomerID, _ sku: SKU, _ quantity: Int = 1, paying paymentMethod: PaymentMethod) {
        self.customer = Customer(id: customer, email: "\(customer)@example.com")
        items = [Item(sku: sku, quantity: quantity)]
        self.paymentMethod = paymentMethod
    }
}

struct AcceptedOrder: Codable, Equatable, Sendable {
    var orderId: OrderID
    var status: String
    var correlationId: String
    var total: Money
}

struct OrderState: Decodable, Sendable {
    struct Step: Decodable, Sendable {
        var status: String
        var at: String
    }

    var orderId: OrderID
    var status: String
    var reason: CancellationReason?
    var cancellationRequestedAt: String?
    var correlationId: String
    var customer: Customer
    var items: [NewOrder.Item]
    var total: Money
    var history: [Step]

    /// Whether it waits to hear if its goods can still be stopped.
    var isCancelling: Bool { cancellationRequestedAt != nil }

    func passed(_ status: String) -> Bool { history.contains { $0.status == status } }
}

struct ProductState: Decodable, Equatable, Sendable {
    var sku: SKU
    var name: String
    var price: Money
    var onHand: Int
    var reserved: Int
    var sold: Int
}

struct ShipmentState: Decodable, Sendable {
    var orderId: OrderID
    var customerId: CustomerID
    var status: String
}

struct ChargeState: Decodable, Sendable {
    var chargeId: ChargeID
    var orderId: OrderID
    var status: String
    var amountMinorUnits: Int64
    var currency: String
}

struct LedgerEntry: Decodable, Sendable {
    var kind: String
    var chargeId: ChargeID
    var orderId: OrderID
    var status: String
    var amountMinorUnits: Int64
    var currency: String

    var amount: Money { Money(amountMinorUnits: amountMinorUnits, currency: currency) }
}

struct MailState: Decodable, Sendable {
    var messageId: String
    var to: String
    var subject: String
    var kind: String
}

struct PointsEntry: Decodable, Sendable {
    var orderId: OrderID
    var points: Int64
}

struct NotificationState: Decodable, Sendable {
    var id: String
    var orderId: OrderID
    var kind: String
    var text: String
}

/// RFC 9457.
struct Problem: Decodable, Sendable {
    var type: String
    var title: String
    var status: Int
    var detail: String
    var field: String?
}

// MARK: - Lists

/// A page of a list, whatever its entries are called.
protocol ListPage: Decodable {
    associatedtype Entry
    var entries: [Entry] { get }
    var nextCursor: String? { get }
}

struct OrderPage: ListPage {
    var orders: [OrderState]
    var nextCursor: String?
    var entries: [OrderState] { orders }
}

struct ProductPage: ListPage {
    var products: [ProductState]
    var nextCursor: String?
    var entries: [ProductState] { products }
}

struct MailPage: ListPage {
    var mails: [MailState]
    var nextCursor: String?
    var entries: [MailState] { mails }
}

struct PointsPage: ListPage {
    var points: Int64
    var entries: [PointsEntry]
    var nextCursor: String?
}

struct NotificationPage: ListPage {
    var notifications: [NotificationState]
    var nextCursor: String?
    var entries: [NotificationState] { notifications }
}

struct ChargeList: Decodable {
    var charges: [ChargeState]
}

struct Ledger: Decodable {
    var entries: [LedgerEntry]
}
