import Contracts
import Foundation
import Testing

/// A payload as it stands on the wire, in a file that only changes when the contract does.
struct GoldenFile: CustomTestStringConvertible, Sendable {
    let name: String
    let check: @Sendable () throws -> Void

    var testDescription: String { name }

    init<Value: Codable & Equatable & Sendable>(_ name: String, _ value: Value) {
        self.name = name
        check = {
            let json = try Self.text(of: name)
            #expect(try ContractJSON.decode(Value.self, from: json) == value)
            #expect(try ContractJSON.encode(value) == Self.inOneLine(json))
        }
    }

    init(_ payload: some MessagePayload) { self.init(type(of: payload).type, payload) }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static func text(of name: String) throws -> String {
        try String(contentsOf: folder.appending(path: "\(name).json"), encoding: .utf8)
    }

    /// The file without its white space, with the keys in order: the form in which messages are encoded.
    static func inOneLine(_ json: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data, as: UTF8.self)
    }
}

extension GoldenFile {
    static let orderId: OrderID = "0195a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"
    static let chargeId: ChargeID = "0195a1b2-c3d4-7e5f-8a6b-000000000001"
    static let ada = Customer(id: "ada", email: "ada@example.com")
    static let total = Money(amountMinorUnits: 2248, currency: "EUR")
    static let price = Money(amountMinorUnits: 999, currency: "EUR")
    static let noon = Date(timeIntervalSince1970: 1_772_366_400.25)
    static let items = [
        OrderLine(sku: "NOTEBOOK", quantity: 2, unitPrice: price),
        OrderLine(sku: "PEN/RED", quantity: 1, unitPrice: Money(amountMinorUnits: 250, currency: "EUR")),
    ]

    static let all: [GoldenFile] = [
        GoldenFile(OrderPlaced(orderId: orderId, customer: ada, items: items, total: total)),
        GoldenFile(OrderConfirmed(orderId: orderId, customer: ada, items: items, total: total)),
        GoldenFile(
            OrderCancelled(
                orderId: orderId, customer: ada, total: total, reason: .customerRequest, wasConfirmed: true,
                stoppedShipment: .packed)),
        GoldenFile(OrderRefunded(orderId: orderId, customer: ada, total: total)),
        GoldenFile(CancellationRefused(orderId: orderId, customer: ada, shipment: .shipped)),
        GoldenFile(CancelUnpaidOrder(orderId: orderId)),
        GoldenFile(ChargePayment(orderId: orderId, customerId: "ada", amount: total, paymentMethod: .ok)),
        GoldenFile(RefundPayment(orderId: orderId, reason: .paymentTimeout)),
        GoldenFile(StockReserved(orderId: orderId)),
        GoldenFile(
            StockRejected(orderId: orderId, shortages: [.init(sku: "NOTEBOOK", requested: 2, available: 1)])),
        GoldenFile(
            ProductChanged(sku: "NOTEBOOK", name: "Notebook, dotted", price: price, version: 3, catalogueSize: 12)),
        GoldenFile(ShipmentStatusChanged(orderId: orderId, customerId: "ada", status: .packed, previous: .preparing)),
        GoldenFile(TellAnyway(orderId: orderId, kind: "order_confirmed")),
        GoldenFile(StopShipment(orderId: orderId, customerId: "ada")),
        GoldenFile(ShipmentStopped(orderId: orderId, previous: .preparing)),
        GoldenFile(ShipmentNotStopped(orderId: orderId, status: .shipped)),
        GoldenFile(PointsAwarded(customerId: "ada", orderId: orderId, points: 22, balance: 64)),
        GoldenFile(PointsReversed(customerId: "ada", orderId: orderId, points: 22, balance: 42)),
        GoldenFile(CheckAvailability(items: [.init(sku: "NOTEBOOK", quantity: 2)])),
        GoldenFile(
            AvailabilityChecked(
                isAvailable: false, shipsOn: "2026-03-16", items: [.init(sku: "NOTEBOOK", requested: 2, available: 1)])),
        GoldenFile(CalculateDiscount(customerId: "ada", total: total)),
        GoldenFile(
            DiscountCalculated(
                customerId: "ada", points: 640, percent: 5, amount: Money(amountMinorUnits: 112, currency: "EUR"))),
        GoldenFile(CalculateFee(paymentMethod: .ok, total: total)),
        GoldenFile(FeeCalculated(paymentMethod: .ok, amount: Money(amountMinorUnits: 34, currency: "EUR"))),
        GoldenFile(RequestRefused(reason: "The payment method 'pm_none' is unknown.")),
        GoldenFile(
            TellEndpointOwner(
                endpointId: "we_0195a1b2-c3d4-7e5f-8a6b-000000000002", url: "https://merchant.example/hooks?shop=1",
                ownerEmail: "dev@merchant.example", reason: .failing, failingSince: noon)),
        merchant(.orderPlaced, OrderPlaced(orderId: orderId, customer: ada, items: items, total: total)),
        merchant(.orderConfirmed, OrderConfirmed(orderId: orderId, customer: ada, items: items, total: total)),
        merchant(
            .orderCancelled, OrderCancelled(orderId: orderId, customer: ada, total: total, reason: .paymentDeclined)),
        merchant(.orderRefunded, OrderRefunded(orderId: orderId, customer: ada, total: total)),
        merchant(.cancellationRefused, CancellationRefused(orderId: orderId, customer: ada)),
        merchant(.shipmentStatusChanged, ShipmentStatusChanged(orderId: orderId, customerId: "ada", status: .packed)),
        merchant(.pointsAwarded, PointsAwarded(customerId: "ada", orderId: orderId, points: 22, balance: 64)),
        merchant(.pointsReversed, PointsReversed(customerId: "ada", orderId: orderId, points: 22, balance: 42)),
        merchant(.ping, WebhookPing(endpointId: "we_0195a1b2-c3d4-7e5f-8a6b-000000000002")),
        webhook("succeeded", .succeeded),
        webhook("failed", .failed, failureCode: "card_declined"),
        webhook("refunded", .refunded),
        GoldenFile("envelope", envelope),
    ]

    /// An event that uses every attribute.
    static let envelope = CloudEvent(
        attributes: EventAttributes(
            id: "0195a1b2-c3d4-7e5f-8a6b-0000000000ff", source: "/services/order", type: StockReserved.type,
            subject: orderId.rawValue, time: noon, correlationid: "correlation-1",
            causationid: "0195a1b2-c3d4-7e5f-8a6b-0000000000fe",
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "vendor=value",
            partitionkey: orderId.rawValue, expirytime: Date(timeIntervalSince1970: 1_772_366_700),
            replyto: "order-replies-0195a1b2-c3d4-7e5f-8a6b-0000000000fd"),
        data: StockReserved(orderId: orderId))

    private static func merchant<Payload: Codable & Equatable & Sendable>(
        _ type: MerchantEvent, _ data: Payload
    ) -> GoldenFile {
        GoldenFile("merchant.\(type)", MerchantWebhook(type: type, timestamp: noon, data: data))
    }

    private static func webhook(
        _ name: String, _ kind: PaymentWebhook.Kind, failureCode: String? = nil
    ) -> GoldenFile {
        GoldenFile(
            "webhook.payment.\(name)",
            PaymentWebhook(
                type: kind, timestamp: noon,
                data: .init(orderId: orderId, chargeId: chargeId, amount: total, failureCode: failureCode)))
    }
}
