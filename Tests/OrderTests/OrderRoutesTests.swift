import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Outbox
import Persistence
import ServiceKit
import TestSupport
import Testing
import Webhooks

@testable import Order

@Suite("The order service over HTTP") struct OrderRoutesTests {
    static let valid =
        #"{"customer":{"id":"ada","email":"ada@example.com"},"items":[{"sku":"MUG","quantity":2}],"paymentMethod":"pm_ok"}"#

    @Test("An accepted order is stored with its event and can be followed") func place() async throws {
        try await withService { service in
            let answer = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-1"])
            #expect(answer.status == .accepted)
            let accepted = try JSONDecoder().decode(AcceptedOrder.self, from: answer.body)
            #expect(answer.headers[.location] == "/orders/\(accepted.orderId)")
            #expect(accepted.total == Money(amountMinorUnits: 2900, currency: "EUR"))
            #expect(try await service.harness.takeSent() == [OrderPlaced.type])

            let shown = try await service.get("/orders/\(accepted.orderId)")
            #expect(shown.headers[.eTag] == "\"1\"")
            #expect(try ShopJSON.decoder().decode(OrderView.self, from: shown.body).status == "placed")
        }
    }

    @Test("The same key gives the same answer once; for another body it is refused") func idempotency() async throws {
        try await withService { service in
            let first = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-1"])
            let spaced = Self.valid.replacing(",", with: " , ")
            let second = try await service.post("/orders", spaced, headers: [.idempotencyKey: "key-1"])
            #expect(second.status == .accepted && second.body == first.body)
            let other = Self.valid.replacing(":2}", with: ":3}")
            let third = try await service.post("/orders", other, headers: [.idempotencyKey: "key-1"])
            #expect(third.status == .unprocessableContent)
            #expect(try await service.harness.takeSent() == [OrderPlaced.type])
        }
    }

    @Test(
        "A wrong field is named and nothing is stored",
        arguments: [
            (#""quantity":2"#, #""quantity":0"#, "items[0].quantity"),
            (#""quantity":2"#, #""quantity":1000000"#, "items[0].quantity"),
            (#""quantity":2"#, #""quantity":"two""#, "items[0].quantity"),
            (#""sku":"MUG""#, #""sku":"NO-SUCH""#, "items[0].sku"),
            (#""sku":"MUG","#, "", "items[0].sku"),
            ("ada@example.com", "ada", "customer.email"),
            ("ada@example.com", #"ada@example.com\r\nBcc: eve@example.com"#, "customer.email"),
            (#""id":"ada","#, "", "customer.id"),
            (#"{"sku":"MUG","quantity":2}"#, "", "items"),
            (#"}],"#, #"},{"sku":"MUG","quantity":1}],"#, "items[1].sku"),
        ])
    func wrongFields(old: String, new: String, field: String) async throws {
        try await withService { service in
            let body = Self.valid.replacing(old, with: new)
            let answer = try await service.post("/orders", body, headers: [.idempotencyKey: "key-1"])
            #expect(answer.status == .unprocessableContent)
            #expect(try answer.problemField() == field)
            #expect(try await service.harness.takeSent().isEmpty)
        }
    }

    @Test("Who waits for an order hears of its change at once") func follow() async throws {
        try await withService { service in
            let answer = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-1"])
            let id = try JSONDecoder().decode(AcceptedOrder.self, from: answer.body).orderId
            async let waiting = service.get(
                "/orders/\(id)", headers: [.ifNoneMatch: "\"1\"", HTTPField.Name("Prefer")!: "wait=30"])
            _ = try await service.harness.deliver(StockReserved(orderId: id))
            let changed = try await waiting
            #expect(changed.status == .ok && changed.headers[.eTag] == "\"2\"")
            let unchanged = try await service.get("/orders/\(id)", headers: [.ifNoneMatch: "\"2\""])
            #expect(unchanged.status == .notModified)
        }
    }

    @Test("Who waits for the end of an order doesn't hear of what comes before it") func followToTheEnd() async throws {
        try await withService { service in
            let answer = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-1"])
            let id = try JSONDecoder().decode(AcceptedOrder.self, from: answer.body).orderId
            let path = "/orders/\(id)?until=settled"
            #expect(try await service.get(path).headers[.eTag] == "\"1\"")
            async let waiting = service.get(path, headers: [HTTPField.Name("Prefer")!: "wait=30"])
            _ = try await service.harness.deliver(StockReserved(orderId: id))
            #expect(try await service.get(path).headers[.eTag] == "\"2\"")
            _ = try await service.postWebhook(try service.webhook(.succeeded, order: id), id: "msg_1")
            let settled = try await waiting
            #expect(settled.status == .ok && settled.headers[.eTag] == "\"3\"")
            let other = try await service.get("/orders/\(id)?until=shipped")
            #expect(other.status == .unprocessableContent)
            #expect(try other.problemField() == "until")
        }
    }

    @Test("A webhook counts once and only with its signature") func webhook() async throws {
        try await withService { service in
            let answer = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-1"])
            let id = try JSONDecoder().decode(AcceptedOrder.self, from: answer.body).orderId
            _ = try await service.harness.deliver(StockReserved(orderId: id))

            let body = try service.webhook(.succeeded, order: id)
            let forged = try await service.postWebhook(body, id: "msg_1", signedBy: Service.otherSecret)
            #expect(forged.status == .unauthorized && forged.headers[.wwwAuthenticate] == "StandardWebhooks")
            let stale = try await service.postWebhook(body, id: "msg_1", at: Date(timeIntervalSinceNow: -301))
            #expect(stale.status == .unauthorized)
            #expect(try await service.harness.takeSent().isEmpty)

            #expect(try await service.postWebhook(body, id: "msg_1").status == .noContent)
            #expect(try await service.harness.takeSent() == [OrderConfirmed.type])
            #expect(try await service.postWebhook(body, id: "msg_1").status == .noContent)
            #expect(try await service.harness.takeSent().isEmpty)
        }
    }

    @Test("Orders are listed by customer and status, the newest first, page by page") func list() async throws {
        try await withService { service in
            for number in 1...52 {
                _ = try await service.post("/orders", Self.valid, headers: [.idempotencyKey: "key-\(number)"])
            }
            let first = try await service.page("/orders?customerId=ada&status=placed")
            let second = try await service.page("/orders?customerId=ada&cursor=\(try #require(first.nextCursor))")
            let ids = (first.orders + second.orders).map(\.orderId.rawValue)
            #expect(ids.count == 52 && Set(ids).count == 52 && ids == ids.sorted(by: >))
            #expect(second.nextCursor == nil)
            #expect(try await service.page("/orders?customerId=bob").orders.isEmpty)
            let one = try #require(second.orders.last)
            let found = try await service.page("/orders?correlationId=\(one.correlationId)").orders
            #expect(found.map(\.orderId) == [one.orderId])
            #expect(try await service.get("/orders?status=lost").status == .unprocessableContent)
        }
    }
}

@Suite("The price list") struct PriceListTests {
    @Test("Only a later version replaces a price, in whatever order they arrive") func versions() async throws {
        try await withService { service in
            func change(_ version: Int, _ price: Int64) -> ProductChanged {
                ProductChanged(
                    sku: "MUG", name: "Mug", price: Money(amountMinorUnits: price, currency: "EUR"), version: version)
            }
            _ = try await service.harness.deliver(change(3, 1600))
            _ = try await service.harness.deliver(change(2, 1500))
            #expect(try await service.store.products(["MUG"])["MUG"]?.price.amountMinorUnits == 1600)
        }
    }

    @Test("A product isn't called unknown before all that there are have arrived") func arrival() async throws {
        try await withService { service in
            let body = """
                {"customer":{"id":"ada","email":"ada@example.com"},"items":[{"sku":"LAMP","quantity":1}],
                 "paymentMethod":"pm_ok"}
                """
            var statuses: [HTTPResponse.Status] = []
            for sku in ["PEN", "CUP"] as [SKU] {
                let price = Money(amountMinorUnits: 100, currency: "EUR")
                let change = ProductChanged(sku: sku, name: "\(sku)", price: price, version: 1, catalogueSize: 3)
                _ = try await service.harness.deliver(change)
                let answer = try await service.post("/orders", body, headers: [.idempotencyKey: "key-\(sku)"])
                statuses.append(answer.status)
            }
            #expect(statuses == [.serviceUnavailable, .unprocessableContent])
        }
    }
}

// MARK: - Fixture

/// The order service with a real database, without broker and socket.
private struct Service: Sendable {
    static let secret = WebhookSecret("whsec_" + Data(repeating: 1, count: 32).base64EncodedString())!
    static let otherSecret = WebhookSecret("whsec_" + Data(repeating: 2, count: 32).base64EncodedString())!

    let harness: HandlerHarness
    let store: OrderStore
    let client: any TestClientProtocol

    struct Answer: Sendable {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let body: Data

        func problemField() throws -> String? {
            struct Body: Decodable { let field: String? }
            return try JSONDecoder().decode(Body.self, from: body).field
        }
    }

    func post(_ path: String, _ body: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await answer(to: .post, path, headers, body)
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await answer(to: .get, path, headers, nil)
    }

    func page(_ path: String) async throws -> OrderPage {
        try ShopJSON.decoder().decode(OrderPage.self, from: try await get(path).body)
    }

    func webhook(_ type: PaymentWebhook.Kind, order: OrderID) throws -> String {
        let result = PaymentWebhook.Result(
            orderId: order, chargeId: "charge-1", amount: Money(amountMinorUnits: 2900, currency: "EUR"))
        return try ContractJSON.encode(PaymentWebhook(type: type, timestamp: Date(), data: result))
    }

    func postWebhook(
        _ body: String, id: String, at time: Date = Date(), signedBy secret: WebhookSecret = Self.secret
    ) async throws -> Answer {
        let signature = WebhookSignature.sign(id: id, timestamp: time, body: Data(body.utf8), secrets: [secret])
        return try await post(
            "/webhooks/payments", body,
            headers: [
                HTTPField.Name("webhook-id")!: id,
                HTTPField.Name("webhook-timestamp")!: "\(Int64(time.timeIntervalSince1970))",
                HTTPField.Name("webhook-signature")!: signature,
            ])
    }

    private func answer(
        to method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, _ body: String?
    ) async throws -> Answer {
        try await client.execute(uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        { response in
            Answer(status: response.status, headers: response.headers, body: Data(response.body.readableBytesView))
        }
    }
}

private func withService(_ body: @escaping @Sendable (Service) async throws -> Void) async throws {
    try await withTemporaryDatabase(Outbox.migrations + OrderStore.migrations) { database in
        var harness = HandlerHarness(service: "order", database: database)
        let store = OrderStore(database: database, outbox: harness.outbox, changes: OrderChanges(), logger: .silent)
        let saga = OrderSaga(paymentTimeout: .seconds(15))
        Handlers(store: store, saga: saga).register(on: &harness.handlers)
        let mug = ProductChanged(
            sku: "MUG", name: "Mug", price: Money(amountMinorUnits: 1450, currency: "EUR"), version: 1)
        _ = try await harness.deliver(mug)

        let chassis = Chassis(
            configuration: try ServiceConfiguration(service: "order", defaultPort: 0, environment: [:]),
            logger: .silent)
        let router = chassis.router()
        Routes(store: store, saga: saga).add(to: router)
        PaymentWebhookRoute(store: store, saga: saga, secret: Service.secret, logger: .silent).add(to: router)
        let ready = harness
        try await Assembly(router: router).application().test(.router) { client in
            try await body(Service(harness: ready, store: store, client: client))
        }
    }
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
}
