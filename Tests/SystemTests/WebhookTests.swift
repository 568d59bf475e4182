import Contracts
import Foundation
import SystemPackage
import TestSupport
import Testing

extension SystemTests {
    /// Webhooks to merchants, from an order to an endpoint and back.
    @Suite("Outbound webhooks", .stack, .logs, .timeLimit(.minutes(3))) struct WebhookTests {
        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        private func placeConfirmed(by customer: CustomerID) async throws -> OrderID {
            let order = try await shop.place(NewOrder(by: customer, "BOOK-EIP", paying: .ok)).orderId
            _ = try await shop.follow(order, until: ["confirmed"])
            return order
        }

        private func settled(_ endpoint: ShopAPI.Endpoint, _ count: Int) async throws -> [ShopAPI.Delivery] {
            try await eventually("\(count) deliveries are settled") {
                let log = try await shop.deliveries(of: endpoint.id)
                return log.count == count && log.allSatisfy { $0.status != "pending" } ? log : nil
            }
        }

        @Test("The PyPI package standardwebhooks verifies what is sent, with both secrets while one is being rotated")
        func verifiedElsewhere() async throws {
            try await WebhookReceiver.run { receiver in
                let endpoint = try await shop.addEndpoint(receiver.url(), [.orderConfirmed])
                let first = try #require(endpoint.secret)
                let order = try await placeConfirmed(by: "verified")
                let before = try #require(await receiver.first(1).first)
                #expect(before.data("orderId") == order.rawValue && before["type"] == "order.confirmed")
                try await verify(before, with: first, is: true)
                try await verify(
                    before, with: "whsec_" + Data(repeating: 1, count: 32).base64EncodedString(), is: false)

                let rotated = try await shop.act("rotate-secret", on: endpoint.id, #"{"overlapSeconds":3600}"#)
                let second = try #require(try rotated.decode(ShopAPI.Endpoint.self).secret)
                try await shop.act("ping", on: endpoint.id)
                let during = try #require(await receiver.first(2).last)
                #expect(during["type"] == "ping")
                for secret in [first, second] { try await verify(during, with: secret, is: true) }

                try await shop.act("rotate-secret", on: endpoint.id, #"{"overlapSeconds":0}"#)
                try await shop.act("ping", on: endpoint.id)
                let after = try #require(await receiver.first(3).last)
                for secret in [first, second] { try await verify(after, with: secret, is: false) }
                let log = stack.logLines(of: .notification)
                #expect(!log.isEmpty && !log.contains { $0.contains("whsec_") }, "no secret in the log")
            }
        }

        @Test("An endpoint that fails and recovers gets each webhook, repeats under one id, and the log has it all")
        func recovers() async throws {
            try await WebhookReceiver.run { receiver in
                receiver.answer { $0 <= 3 ? .status(500, text: "not now \($0)") : .status(200, text: "thanks") }
                let endpoint = try await shop.addEndpoint(receiver.url(), [.orderConfirmed])
                _ = try await placeConfirmed(by: "recovering")
                let sent = await receiver.first(4)
                #expect(Set(sent.map(\.id)).count == 1)
                let entry = try #require(try await settled(endpoint, 1).first)
                #expect(entry.status == "delivered" && entry.webhookId == sent[0].id)
                let attempts = try #require(try await shop.delivery(entry.id, of: endpoint.id).attempts)
                #expect(attempts.map(\.status) == [500, 500, 500, 200])
                #expect(attempts.map(\.answer) == ["not now 1", "not now 2", "not now 3", "thanks"])
            }
        }

        @Test("An endpoint that hangs and one that is slow delay no other") func hangs() async throws {
            try await WebhookReceiver.run { receiver in
                let gate = Gate()
                receiver.answer("/hanging") { _ in .never }
                receiver.answer("/slow") { _ in .later(gate, status: 204) }
                let hanging = try await shop.addEndpoint(receiver.url("/hanging"), [.orderPlaced])
                let slow = try await shop.addEndpoint(receiver.url("/slow"), [.orderPlaced])
                let quick = try await shop.addEndpoint(receiver.url("/quick"), [.orderPlaced])
                for number in 1...20 {
                    _ = try await shop.place(
                        NewOrder(by: CustomerID(rawValue: "patient-\(number)"), "BOOK-EIP", paying: .declined))
                }
                await receiver.first(20, at: "/quick")
                #expect(try await settled(quick, 20).allSatisfy { $0.status == "delivered" && $0.attemptCount == 1 })
                gate.open()
                #expect(try await settled(slow, 20).allSatisfy { $0.status == "delivered" })
                // The limit is 2 s here.
                let attempt =
                    try await eventually("the log has the first attempt that had no answer") {
                        let log = try await shop.deliveries(of: hanging.id)
                        guard let entry = log.first(where: { $0.attemptCount > 0 }) else { return nil }
                        return try await shop.delivery(entry.id, of: hanging.id).attempts?.first
                    } as ShopAPI.Delivery.Attempt
                #expect(attempt.status == nil && attempt.error?.contains("No answer") == true)
                #expect((2000..<4000).contains(attempt.durationMilliseconds))
            }
        }

        @Test("410 disables an endpoint, and its owner gets a mail; resumed, it can have again what it missed")
        func gone() async throws {
            try await WebhookReceiver.run { receiver in
                receiver.answer { $0 == 1 ? .status(410) : .status(204) }
                let endpoint = try await shop.addEndpoint(receiver.url(), [.orderConfirmed])
                let start = RFC3339.string(from: Date(timeIntervalSinceNow: -60))
                _ = try await placeConfirmed(by: "gone")
                try await eventually("the endpoint is disabled") {
                    try await shop.endpoint(endpoint.id).disabledReason == "gone"
                }
                let mail = try await eventually("its owner has a mail") {
                    try await shop.all(MailPage.self, .email, "/mails").first { $0.kind == "webhook_disabled" }
                }
                #expect(mail.to == "owner@example.com")
                #expect(try await shop.act("ping", on: endpoint.id).status == 409)

                try await shop.act("resume", on: endpoint.id)
                #expect(try await shop.act("redeliver", on: endpoint.id, #"{"since":"\#(start)"}"#).status == 202)
                let sent = await receiver.first(2)
                #expect(sent[0].id == sent[1].id)
                #expect(try await settled(endpoint, 1).first?.status == "delivered")
            }
        }

        @Test("Redirects aren't followed, and addresses of other networks aren't taken") func elsewhere() async throws {
            try await WebhookReceiver.run { receiver in
                receiver.answer { _ in .status(307, headers: ["location": receiver.url("/secret")]) }
                let endpoint = try await shop.addEndpoint(receiver.url(), [.orderConfirmed])
                try await shop.act("ping", on: endpoint.id)
                let attempt =
                    try await eventually("the log has the first attempt") {
                        let entry = try await shop.deliveries(of: endpoint.id).first { $0.attemptCount > 0 }
                        guard let entry else { return nil }
                        return try await shop.delivery(entry.id, of: endpoint.id).attempts?.first
                    } as ShopAPI.Delivery.Attempt
                #expect(attempt.status == 307)
                #expect(receiver.all(at: "/secret").isEmpty)
            }
            for url in ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[fd00::1]/"] {
                await #expect(throws: SystemTestError.self) { try await shop.addEndpoint(url) }
            }
        }

        @Test("kill -9 of notification in the middle loses no webhook, and a repeat has the id of the first")
        func killed() async throws {
            try await WebhookReceiver.run { receiver in
                // Some fail at first, so that there are retries to lose, too.
                receiver.answer { $0 % 3 == 0 ? .status(500) : .status(204) }
                let endpoint = try await shop.addEndpoint(receiver.url(), [.orderPlaced, .orderConfirmed])
                var orders: [OrderID] = []
                for round in 1...4 {
                    for number in 1...10 {
                        let customer = CustomerID(rawValue: "killed-\(round)-\(number)")
                        orders.append(try await shop.place(NewOrder(by: customer, "BOOK-EIP", paying: .ok)).orderId)
                    }
                    await receiver.first(round * 10)
                    try await stack.restart(.notification)
                }
                for order in orders { _ = try await shop.follow(order, until: ["confirmed"]) }
                try await stack.waitUntilReady(.notification)
                let log = try await eventually("all is delivered", within: .seconds(60)) {
                    let log = try await shop.deliveries(of: endpoint.id)
                    return log.count == 80 && log.allSatisfy { $0.status == "delivered" } ? log : nil
                }
                var ids: [String: Set<String>] = [:]
                for webhook in receiver.all() {
                    ids["\(webhook.data("orderId") ?? "") \(webhook["type"] ?? "")", default: []].insert(webhook.id)
                }
                let expected = orders.flatMap { ["\($0) order.placed", "\($0) order.confirmed"] }
                #expect(Set(ids.keys) == Set(expected))
                #expect(ids.values.allSatisfy { $0.count == 1 })
                #expect(Set(ids.values.flatMap { $0 }) == Set(log.map(\.webhookId)))
            }
        }

        // MARK: -

        /// Has Python's `standardwebhooks` look at a webhook.
        private func verify(
            _ webhook: WebhookReceiver.Received, with secret: String, is expected: Bool,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let script = """
                import json, sys
                from standardwebhooks import Webhook, WebhookVerificationError
                given = json.load(sys.stdin)
                try:
                    Webhook(given["secret"]).verify(given["body"], given["headers"])
                    print("verified")
                except WebhookVerificationError as error:
                    print("refused:", error)
                """
            struct Input: Encodable {
                let secret: String
                let headers: [String: String]
                let body: String
            }
            let input = try JSONEncoder().encode(
                Input(secret: secret, headers: webhook.headers, body: String(decoding: webhook.body, as: UTF8.self)))
            let output = try await Python.run(["-c", script], input: String(decoding: input, as: UTF8.self)).output
            #expect(
                output.hasPrefix(expected ? "verified" : "refused"), "\(output)", sourceLocation: sourceLocation)
        }
    }
}
