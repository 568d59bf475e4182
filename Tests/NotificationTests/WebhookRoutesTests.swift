import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import ServiceKit
import TestSupport
import Testing
import Webhooks

@testable import Notification

@Suite("Endpoints over HTTP", .timeLimit(.minutes(1))) struct WebhookRoutesTests {
    static let valid = #"{"url":"https://1.1.1.1/hooks","ownerEmail":"owner@example.com"}"#

    @Test("The secret is shown when it is made, and never again") func secretOnce() async throws {
        try await withService { service in
            let created = try await service.send(.post, "/webhook-endpoints", Self.valid)
            #expect(created.status == .created)
            let endpoint = try created.decode(EndpointView.self)
            #expect(created.headers[.location] == "/webhook-endpoints/\(endpoint.id)")
            let secret = try #require(endpoint.secret)
            #expect(WebhookSecret(secret) != nil)
            #expect(endpoint.eventTypes == ["*"] && endpoint.status == "active")

            let path = "/webhook-endpoints/\(endpoint.id)"
            for later in [
                try await service.send(.get, path), try await service.send(.get, "/webhook-endpoints"),
                try await service.send(.patch, path, #"{"description":"ours"}"#),
                try await service.send(.post, path + "/pause"),
            ] {
                #expect(later.status == .ok)
                #expect(!later.text.contains("whsec_"))
            }
            let rotated = try await service.send(.post, path + "/rotate-secret", #"{"overlapSeconds":60}"#)
                .decode(EndpointView.self)
            #expect(rotated.secret != nil && rotated.secret != secret)
            #expect(rotated.previousSecretExpiresAt != nil)
        }
    }

    @Test(
        "What is wrong is named, and nothing is stored",
        arguments: [
            ("https://1.1.1.1/hooks", "ftp://1.1.1.1/", "url"),
            ("https://1.1.1.1/hooks", "http://10.0.0.1/", "url"),
            ("https://1.1.1.1/hooks", "http://127.0.0.1:8081/orders", "url"),
            ("https://1.1.1.1/hooks", "http://[::ffff:169.254.169.254]/latest/meta-data", "url"),
            ("https://1.1.1.1/hooks", "http://metadata.internal/", "url"),
            ("https://1.1.1.1/hooks", "http://nowhere.invalid/", "url"),
            ("owner@example.com", "owner", "ownerEmail"),
            (#""ownerEmail""#, #""owner""#, "ownerEmail"),
            (#""ownerEmail""#, #""eventTypes":[],"ownerEmail""#, "eventTypes"),
            (#""ownerEmail""#, #""eventTypes":["order.eaten"],"ownerEmail""#, "eventTypes[0]"),
            (#""ownerEmail""#, #""eventTypes":["order.placed","order.placed"],"ownerEmail""#, "eventTypes[1]"),
            (#""ownerEmail""#, #""description":"a\u0000b","ownerEmail""#, "description"),
        ])
    func wrong(old: String, new: String, field: String) async throws {
        try await withService { service in
            let answer = try await service.send(.post, "/webhook-endpoints", Self.valid.replacing(old, with: new))
            #expect(answer.status == .unprocessableContent)
            #expect(try answer.decode([String: Loose].self)["field"]?.text == field)
            #expect(try await service.endpoints().isEmpty)
        }
    }

    @Test("A change is checked like a registration, and what is left out stays") func change() async throws {
        try await withService { service in
            let endpoint = try await service.register()
            let path = "/webhook-endpoints/\(endpoint.id)"
            #expect(
                try await service.send(.patch, path, #"{"url":"http://192.168.0.1/"}"#).status == .unprocessableContent)
            let changed = try await service.send(
                .patch, path, #"{"eventTypes":["order.placed"],"description":"for the warehouse"}"#
            ).decode(EndpointView.self)
            #expect(changed.eventTypes == [.orderPlaced] && changed.description == "for the warehouse")
            #expect(changed.url == endpoint.url && changed.ownerEmail == endpoint.ownerEmail)
        }
    }

    @Test("A ping and a redelivery are accepted and can be followed in the log") func pingAndRedeliver() async throws {
        try await withService { service in
            let endpoint = try await service.register()
            let path = "/webhook-endpoints/\(endpoint.id)"
            let ping = try await service.send(.post, path + "/ping")
            #expect(ping.status == .accepted)
            let delivery = try ping.decode(DeliveryView.self)
            #expect(ping.headers[.location] == "\(path)/deliveries/\(delivery.id)")
            let shown = try await service.send(.get, "\(path)/deliveries/\(delivery.id)").decode(DeliveryView.self)
            #expect(shown.body?.contains(#""endpointId":"\#(endpoint.id)""#) == true)
            #expect(shown.attempts?.isEmpty == true && shown.status == "pending" && shown.type == .ping)
            #expect(try await service.send(.post, "\(path)/deliveries/\(delivery.id)/redeliver").status == .accepted)
            #expect(try await service.send(.post, "\(path)/deliveries/wd_none/redeliver").status == .notFound)
            let page = try await service.send(.get, path + "/deliveries?status=pending").decode(DeliveryPage.self)
            #expect(page.deliveries.map(\.id) == [delivery.id])
            #expect(try await service.send(.get, path + "/deliveries?status=lost").status == .unprocessableContent)
        }
    }

    @Test("All that was given up since a time is sent again") func redeliverSince() async throws {
        try await withService { service in
            let endpoint = try await service.register()
            let path = "/webhook-endpoints/\(endpoint.id)"
            for number in 1...3 { try await service.fixture.happen(OrderID(rawValue: "order-\(number)")) }
            try await service.fixture.harness.database.write { transaction in
                try service.fixture.deliveries.giveUp(allOf: endpoint.id, at: Date(), in: transaction)
            }
            let future = try await service.send(
                .post, path + "/redeliver", #"{"since":"2999-01-01T00:00:00Z"}"#
            ).decode(RedeliveryView.self)
            #expect(future.redelivered == 0)
            let all = try await service.send(
                .post, path + "/redeliver", #"{"since":"2020-01-01T00:00:00Z"}"#
            ).decode(RedeliveryView.self)
            #expect(all.redelivered == 3 && !all.hasMore)
            let page = try await service.send(.get, path + "/deliveries?status=pending").decode(DeliveryPage.self)
            #expect(page.deliveries.count == 3)
        }
    }

    @Test("The log and the list come in pages") func pages() async throws {
        try await withService { service in
            let endpoint = try await service.register()
            for number in 1...60 { try await service.fixture.happen(OrderID(rawValue: "order-\(number)")) }
            let path = "/webhook-endpoints/\(endpoint.id)/deliveries"
            let first = try await service.send(.get, path).decode(DeliveryPage.self)
            let cursor = try #require(first.nextCursor)
            let second = try await service.send(.get, "\(path)?cursor=\(cursor)").decode(DeliveryPage.self)
            #expect(Set((first.deliveries + second.deliveries).map(\.id)).count == 60 && second.nextCursor == nil)
        }
    }

    @Test("What is paused gets no ping, what is disabled neither that nor a redelivery; what is deleted is gone")
    func states() async throws {
        try await withService { service in
            let endpoint = try await service.register()
            let path = "/webhook-endpoints/\(endpoint.id)"
            _ = try await service.send(.post, path + "/pause")
            #expect(try await service.send(.post, path + "/ping").status == .conflict)
            #expect(try await service.send(.post, path + "/resume").decode(EndpointView.self).status == "active")
            _ = try await service.fixture.endpoints.change(endpoint.id) { endpoint in
                _ = endpoint.judge(
                    .answered(WebhookAnswer(status: 410)), number: 1, patience: WebhookPatience(), at: Date())
            }
            let shown = try await service.send(.get, path).decode(EndpointView.self)
            #expect(shown.status == "disabled" && shown.disabledReason == .gone)
            #expect(try await service.send(.post, path + "/pause").status == .conflict)
            #expect(
                try await service.send(.post, path + "/redeliver", #"{"since":"2020-01-01T00:00:00Z"}"#).status
                    == .conflict)
            #expect(try await service.send(.delete, path).status == .noContent)
            for (method, rest) in [
                (HTTPRequest.Method.get, ""), (.delete, ""), (.post, "/pause"), (.post, "/resume"), (.post, "/ping"),
                (.get, "/deliveries"), (.get, "/deliveries/wd_1"), (.post, "/deliveries/wd_1/redeliver"),
            ] {
                #expect(try await service.send(method, path + rest).status == .notFound)
            }
        }
    }

    // MARK: -

    private struct Service: Sendable {
        let fixture: NotificationFixture
        let client: any TestClientProtocol

        func send(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> TestResponse {
            try await client.execute(
                uri: path, method: method, headers: body == nil ? [:] : [.contentType: "application/json"],
                body: body.map { ByteBuffer(string: $0) })
        }

        func register() async throws -> EndpointView {
            try await send(.post, "/webhook-endpoints", WebhookRoutesTests.valid).decode(EndpointView.self)
        }

        func endpoints() async throws -> [EndpointView] {
            try await send(.get, "/webhook-endpoints").decode(EndpointPage.self).endpoints
        }
    }

    private func withService(_ body: @escaping @Sendable (Service) async throws -> Void) async throws {
        try await NotificationFixture.run { fixture in
            let router = Chassis(
                configuration: try ServiceConfiguration(service: "notification", defaultPort: 0, environment: [:]),
                logger: .silent
            ).router()
            let addresses = AddressGuard(allowing: .none) { host in
                guard host == "metadata.internal" else { throw HostNames.Unknown(host: host) }
                return [.v4(0xA9FE_A9FE)]
            }
            WebhookRoutes(
                endpoints: fixture.endpoints, deliveries: fixture.deliveries, fanOut: fixture.fanOut,
                addresses: addresses
            ).add(to: router)
            try await Assembly(router: router).application().test(.router) { client in
                try await body(Service(fixture: fixture, client: client))
            }
        }
    }
}

/// A member of a problem, of which the texts are looked at.
private struct Loose: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
}

extension TestResponse {
    fileprivate var text: String { String(buffer: body) }

    fileprivate func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try ShopJSON.decoder().decode(type, from: Data(buffer: body))
    }
}
