import HTTPTypes
import Hummingbird
import HummingbirdTesting
import ServiceKit
import Testing

@Suite("Request bodies")
struct RequestDecodingTests {
    private struct Order: Decodable, Sendable {
        struct Item: Decodable, Sendable {
            var sku: String
            var quantity: Int
        }
        enum Method: String, Decodable { case card, cash }
        var email: String
        var items: [Item]
        var gift: Bool?
        var method: Method?
    }

    private func post(
        _ body: String, contentType: String? = "application/json", maxBytes: Int = Request.defaultMaxBytes
    ) async throws -> TestResponse {
        try await Fixture().test { router in
            router.post("orders") { request, _ in
                let order = try await request.decode(Order.self, maxBytes: maxBytes)
                return "\(order.items.count)"
            }
        } _: { client in
            try await client.execute(
                uri: "/orders", method: .post, headers: contentType.map { [.contentType: $0] } ?? [:],
                body: ByteBuffer(string: body))
        }
    }

    private static let valid = #"{"email":"a@b","items":[{"sku":"x","quantity":1}],"unknown":1}"#

    @Test(
        "taken with every name of JSON, or none",
        arguments: ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json", nil])
    func accepted(contentType: String?) async throws {
        let response = try await self.post(Self.valid, contentType: contentType)
        #expect(response.status == .ok)
        #expect(String(buffer: response.body) == "1")
    }

    @Test(
        "415 for another type",
        arguments: ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
    func unsupported(contentType: String) async throws {
        let response = try await self.post(Self.valid, contentType: contentType)
        #expect(response.status == .unsupportedMediaType)
        let problem = try ReceivedProblem(response)
        #expect(problem.field == "Content-Type")
        #expect(problem.detail == "Send the body with Content-Type: application/json.")
    }

    @Test("400 for what isn't JSON", arguments: ["{", "", "nonsense", #"{"email" "a"}"#, "{\"email\":\"\u{1}\"}"])
    func malformed(body: String) async throws {
        let response = try await self.post(body)
        #expect(response.status == .badRequest)
        #expect(response.headers[.contentType] == "application/problem+json")
        let problem = try ReceivedProblem(response)
        #expect(problem.type == "urn:shop:problem:malformed")
        #expect(problem.status == 400)
    }

    @Test(
        "422 naming the field",
        arguments: [
            (#"{"items":[]}"#, "email", "'email' is missing."),
            (#"{"email":5,"items":[]}"#, "email", "'email' must be a string."),
            (#"{"email":null,"items":[]}"#, "email", "'email' must not be null."),
            (#"{"email":"a","items":{}}"#, "items", "'items' must be a list."),
            (#"{"email":"a","items":[{"quantity":1}]}"#, "items[0].sku", "'items[0].sku' is missing."),
            (
                #"{"email":"a","items":[{"sku":"x","quantity":1},{"sku":"y","quantity":"2"}]}"#,
                "items[1].quantity", "'items[1].quantity' must be a whole number."
            ),
            (#"{"email":"a","items":[],"gift":"no"}"#, "gift", "'gift' must be true or false."),
        ])
    func invalid(body: String, field: String, detail: String) async throws {
        let response = try await self.post(body)
        #expect(response.status == .unprocessableContent)
        let problem = try ReceivedProblem(response)
        #expect(problem.field == field)
        #expect(problem.detail == detail)
        #expect(problem.instance == "/orders")
    }

    @Test(
        "422 naming the field of a value that can't be",
        arguments: [
            (#"{"email":"a","items":[{"sku":"x","quantity":1.5}]}"#, "items[0].quantity"),
            (#"{"email":"a","items":[{"sku":"x","quantity":1e30}]}"#, "items[0].quantity"),
            (#"{"email":"a","items":[{"sku":"x","quantity":-99999999999999999999}]}"#, "items[0].quantity"),
            (#"{"email":"a","items":[],"method":"stones"}"#, "method"),
        ])
    func impossible(body: String, field: String) async throws {
        let response = try await self.post(body)
        #expect(response.status == .unprocessableContent)
        #expect(try ReceivedProblem(response).field == field)
    }

    @Test("422 for JSON that isn't an object")
    func notAnObject() async throws {
        let response = try await self.post("[1]")
        #expect(response.status == .unprocessableContent)
        #expect(try ReceivedProblem(response).detail == "The body must be an object.")
    }

    @Test("413 over the limit, which is the route's own")
    func tooLarge() async throws {
        let long = #"{"email":"\#(String(repeating: "a", count: Request.defaultMaxBytes))","items":[]}"#
        let response = try await self.post(long)
        #expect(response.status == .contentTooLarge)
        #expect(try ReceivedProblem(response).detail == "The body must be at most 262144 bytes.")
        #expect(try await self.post(long, maxBytes: 1 << 20).status == .ok)
        #expect(try await self.post(Self.valid, maxBytes: 10).status == .contentTooLarge)
    }

    @Test("413 for 10 MB over a real connection, which goes on to the next request")
    func tooLargeLive() async throws {
        try await Fixture().test(.live) { router in
            router.post("orders") { request, _ in try await request.decode(Order.self).email }
        } _: { client in
            let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 10_000_000)
            let refused = try await client.execute(uri: "/orders", method: .post, body: body)
            #expect(refused.status == .contentTooLarge)
            let next = try await client.execute(uri: "/orders", method: .post, body: ByteBuffer(string: Self.valid))
            #expect(next.status == .ok)
        }
    }

    @Test("Idempotency-Key is read, and refused when it can't be used")
    func idempotencyKey() async throws {
        try await Fixture().test { router in
            router.post("orders") { request, _ in try request.requiredIdempotencyKey().value }
        } _: { client in
            let name = try #require(HTTPField.Name("Idempotency-Key"))
            func post(_ key: String?) async throws -> TestResponse {
                try await client.execute(uri: "/orders", method: .post, headers: key.map { [name: $0] } ?? [:])
            }
            #expect(String(buffer: try await post("k-1").body) == "k-1")
            #expect(try await post(String(repeating: "k", count: 255)).status == .ok)
            for key in [nil, "", "two words", "ü", String(repeating: "k", count: 256)] {
                let response = try await post(key)
                #expect(response.status == .badRequest)
                #expect(try ReceivedProblem(response).field == "Idempotency-Key")
            }
        }
    }
}
