import Contracts
import Foundation
import Testing

extension SystemTests {
    /// Requests that must be refused with a sentence, and change nothing.
    @Suite("Bad input", .stack, .logs, .timeLimit(.minutes(2))) struct BadInputTests {
        /// A request and what it must be answered with.
        struct Case: CustomTestStringConvertible, Sendable {
            let testDescription: String
            var method = ShopAPI.Method.post
            var program = Program.order
            var path = "/orders"
            var body: String?
            var headers: [String: String] = [:]
            let status: Int
            /// The member of the body, or the header, that the problem names.
            var field: String?
        }

        private static func order(
            sku: String = "\"MUG-ENAMEL\"", quantity: String = "1", customer: String = #"{"id":"bad","email":"b@c.d"}"#,
            payment: String = #","paymentMethod":"pm_ok""#
        ) -> String {
            #"{"customer":\#(customer),"items":[{"sku":\#(sku),"quantity":\#(quantity)}]\#(payment)}"#
        }

        static let orders = [
            Case(testDescription: "malformed JSON", body: #"{"customer":"#, status: 400),
            Case(testDescription: "empty body", body: "", status: 400),
            Case(testDescription: "not an object", body: "[1]", status: 422),
            Case(
                testDescription: "plain text", body: order(), headers: ["Content-Type": "text/plain"], status: 415,
                field: "Content-Type"),
            Case(
                testDescription: "unknown product", body: order(sku: "\"NO-SUCH\""), status: 422, field: "items[0].sku"),
            Case(testDescription: "quantity 0", body: order(quantity: "0"), status: 422, field: "items[0].quantity"),
            Case(testDescription: "quantity -1", body: order(quantity: "-1"), status: 422, field: "items[0].quantity"),
            Case(
                testDescription: "quantity 1000000", body: order(quantity: "1000000"), status: 422,
                field: "items[0].quantity"),
            Case(
                testDescription: "quantity 1.5", body: order(quantity: "1.5"), status: 422, field: "items[0].quantity"),
            Case(
                testDescription: "quantity in words", body: order(quantity: "\"one\""), status: 422,
                field: "items[0].quantity"),
            Case(
                testDescription: "quantity beyond 64 bits", body: order(quantity: "99999999999999999999"), status: 422,
                field: "items[0].quantity"),
            Case(
                testDescription: "missing payment method", body: order(payment: ""), status: 422, field: "paymentMethod"
            ),
            Case(
                testDescription: "missing address", body: order(customer: #"{"id":"bad"}"#), status: 422,
                field: "customer.email"),
            Case(
                testDescription: "an address with a line break",
                body: order(customer: #"{"id":"bad","email":"b@c.d\r\nBcc: e@f.g"}"#), status: 422,
                field: "customer.email"),
            Case(
                testDescription: "no items",
                body: #"{"customer":{"id":"bad","email":"b@c.d"},"items":[],"paymentMethod":"pm_ok"}"#,
                status: 422, field: "items"),
            Case(
                testDescription: "missing key", body: order(), headers: ["Idempotency-Key": ""], status: 400,
                field: "Idempotency-Key"),
            Case(
                testDescription: "key with a space", body: order(), headers: ["Idempotency-Key": "a b"], status: 400,
                field: "Idempotency-Key"),
            Case(
                testDescription: "key of 256 characters", body: order(),
                headers: ["Idempotency-Key": String(repeating: "k", count: 256)], status: 400,
                field: "Idempotency-Key"),
            Case(testDescription: "unknown path", path: "/order", body: order(), status: 404),
            Case(testDescription: "wrong method", method: .delete, status: 405),
        ]

        static let others =
            [
                Case(testDescription: "unknown order", method: .get, path: "/orders/nothing", status: 404),
                Case(
                    testDescription: "unknown status", method: .get, path: "/orders?status=lost", status: 422,
                    field: "status"),
                Case(
                    testDescription: "unknown product", method: .get, program: .inventory, path: "/products/NO",
                    status: 404),
                Case(
                    testDescription: "charges without an order", method: .get, program: .payment, path: "/charges",
                    status: 422, field: "orderId"),
                Case(testDescription: "unknown mail", method: .get, program: .email, path: "/mails/no", status: 404),
                Case(
                    testDescription: "wrong method", method: .post, program: .loyalty, path: "/customers/bad/points",
                    status: 405),
                Case(
                    testDescription: "wrong method", method: .put, program: .notification,
                    path: "/customers/bad/notifications", status: 405),
            ]
            + Program.services.map {
                Case(testDescription: "unknown path", method: .get, program: $0, path: "/nowhere", status: 404)
            }

        let stack: Stack
        let shop: ShopAPI

        init() throws {
            stack = try currentStack()
            shop = ShopAPI(stack: stack)
        }

        @Test("What is wrong is refused by name", arguments: orders + others) func refused(_ input: Case) async throws {
            let answer = try await send(input, key: UUID().uuidString)
            expectProblem(answer, status: input.status, field: input.field)
            if input.status == 405 { #expect(answer.headers["allow"]?.isEmpty == false) }
            try await expectNothingHappened()
        }

        @Test("A body of 10 MB is refused, whether its length is announced or not", arguments: [false, true])
        func tooLarge(chunked: Bool) async throws {
            let filler = String(repeating: "x", count: 10 << 20)
            let body = Self.order(payment: #","paymentMethod":"pm_ok","note":"\#(filler)""#)
            let headers = ["Content-Type": "application/json", "Idempotency-Key": UUID().uuidString]
            let answer = try await shop.send(
                .post, .order, "/orders", headers: headers, body: Data(body.utf8), chunked: chunked)
            expectProblem(answer, status: 413, field: nil)
            try await expectNothingHappened()
        }

        @Test("A refused order may be corrected under the same key") func corrected() async throws {
            let key = UUID().uuidString
            let wrong = try await shop.post(NewOrder(by: "corrected", "NO-SUCH", paying: .ok), key: key)
            #expect(wrong.status == 422)
            let right = try await shop.place(NewOrder(by: "corrected", "MUG-ENAMEL", paying: .ok), key: key)
            try await shop.expect(right.orderId, leaves: .confirmed(points: 14))
        }

        @Test("A webhook that can't be believed has no effect") func webhooks() async throws {
            let order = try await shop.place(NewOrder(by: "forged", "BOOK-DDIA", paying: .silent))
            _ = try await shop.follow(order.orderId, until: ["reserved"])
            let webhook = PaymentWebhook(
                type: .succeeded, timestamp: Date(),
                data: .init(orderId: order.orderId, chargeId: .make(), amount: order.total))
            let otherSecret = "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()
            let good = try SignedWebhook(webhook, secret: stack.webhookSecret)
            let forged = [
                try SignedWebhook(webhook, secret: otherSecret),
                try SignedWebhook(webhook, timestamp: Date(timeIntervalSinceNow: -301), secret: stack.webhookSecret),
                try SignedWebhook(webhook, timestamp: Date(timeIntervalSinceNow: 310), secret: stack.webhookSecret),
            ]
            for attempt in forged {
                expectProblem(try await attempt.send(to: shop), status: 401, field: nil)
            }
            for header in good.headers.keys where header != "Content-Type" {
                let headers = good.headers.filter { $0.key != header }
                let answer = try await shop.send(
                    .post, .order, "/webhooks/payments", headers: headers, body: good.body)
                expectProblem(answer, status: 401, field: nil)
            }
            let altered = try await shop.send(
                .post, .order, "/webhooks/payments", headers: good.headers, body: good.body + Data(" ".utf8))
            expectProblem(altered, status: 401, field: nil)
            // Nobody has paid.
            try await shop.expect(order.orderId, leaves: .cancelled(.paymentTimeout, ledger: ["charge pending"]))
        }

        @Test("A believable webhook about an unknown order, or with another body, is refused") func oddWebhooks()
            async throws
        {
            let amount = Money(amountMinorUnits: 1, currency: "EUR")
            let unknown = PaymentWebhook(
                type: .succeeded, timestamp: Date(),
                data: .init(orderId: "nothing", chargeId: .make(), amount: amount))
            let answer = try await SignedWebhook(unknown, secret: stack.webhookSecret).send(to: shop)
            expectProblem(answer, status: 422, field: "data.orderId")
        }

        private func send(_ input: Case, key: String) async throws -> ShopAPI.Answer {
            var headers = input.headers
            if input.body != nil {
                headers["Content-Type"] = headers["Content-Type"] ?? "application/json"
                headers["Idempotency-Key"] = headers["Idempotency-Key"] ?? key
            }
            return try await shop.send(
                input.method, input.program, input.path, headers: headers, body: input.body.map { Data($0.utf8) })
        }

        private func expectProblem(
            _ answer: ShopAPI.Answer, status: Int, field: String?, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(answer.status == status, sourceLocation: sourceLocation)
            #expect(answer.headers["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
            #expect(answer.headers["x-correlation-id"]?.isEmpty == false, sourceLocation: sourceLocation)
            do {
                let problem = try JSONDecoder().decode(Problem.self, from: answer.body)
                #expect(problem.status == status, sourceLocation: sourceLocation)
                #expect(problem.field == field, sourceLocation: sourceLocation)
                #expect(problem.type.hasPrefix("urn:shop:problem:"), sourceLocation: sourceLocation)
                #expect(problem.detail.hasSuffix("."), sourceLocation: sourceLocation)
            } catch {
                let text = String(decoding: answer.body.prefix(300), as: UTF8.self)
                Issue.record("the answer is no problem: \(text)", sourceLocation: sourceLocation)
            }
        }

        /// The customer of all these requests is unknown to every service.
        private func expectNothingHappened(sourceLocation: SourceLocation = #_sourceLocation) async throws {
            #expect(try await shop.orders(of: "bad").isEmpty, sourceLocation: sourceLocation)
            #expect(try await shop.notifications(of: "bad").isEmpty, sourceLocation: sourceLocation)
            #expect(try await shop.points(of: "bad").isEmpty, sourceLocation: sourceLocation)
            #expect(try await shop.outboxDepth(of: .order) == 0, sourceLocation: sourceLocation)
        }
    }
}
