import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import Console

@Suite("The page and its guard", .timeLimit(.minutes(1))) struct BrowserGuardTests {
    @Test(
        "A name is read without its port",
        arguments: [
            ("localhost:8080", "localhost"), ("LOCALHOST", "localhost"), ("[::1]:8080", "[::1]"), ("[::1]", "[::1]"),
            ("127.0.0.1:80", "127.0.0.1"), ("", ""),
        ])
    func names(authority: String, name: String) {
        #expect(BrowserGuard.name(of: authority) == name)
    }

    private func refusal(
        _ method: HTTPRequest.Method, host: String = "localhost:8080", _ headers: HTTPFields = [:],
        path: String = "/api/order/orders"
    ) -> HTTPResponse.Status? {
        let head = HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: headers)
        return BrowserGuard(hosts: ["localhost"]).refusal(of: Request(head: head, body: .init(buffer: .init())))?.status
    }

    @Test("Other sites can neither read by a name of theirs nor change anything") func refusals() {
        #expect(refusal(.get) == nil)
        #expect(refusal(.get, host: "evil.example") == .misdirectedRequest)
        #expect(refusal(.post) == nil)
        #expect(refusal(.post, [.origin: "http://localhost:8080", .secFetchSite: "same-origin"]) == nil)
        #expect(refusal(.post, [.origin: "http://evil.example"]) == .forbidden)
        #expect(refusal(.post, [.origin: "http://localhost:9999"]) == .forbidden)
        #expect(refusal(.post, [.secFetchSite: "cross-site"]) == .forbidden)
        #expect(refusal(.post, [.origin: "null"]) == .forbidden)
        #expect(refusal(.post, host: "console:8080", path: "/v1/traces") == nil)
    }

    @Test("Every file of the page is there, with a strict policy and a tag to ask again with") func files() async throws
    {
        try await ConsoleFixture.run { console in
            let index = try await console.client.execute(uri: "/dead-letters", method: .get)
            #expect(index.status == .ok)
            let policy = try #require(index.headers[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
            #expect(index.headers[.xContentTypeOptions] == "nosniff")
            // Whatever the page and its modules name is served, and nothing of it comes from elsewhere.
            var known: Set<String> = []
            var names = Set(String(buffer: index.body).matches(of: #/"(\/page\/[\w.]+)"/#).map { String($0.1) })
            while let name = names.subtracting(known).first {
                known.insert(name)
                let file = try await console.client.execute(uri: name, method: .get)
                #expect(file.status == .ok, "\(name)")
                let text = String(buffer: file.body)
                #expect(!text.contains("innerHTML") && !text.contains("https://"), "\(name)")
                names.formUnion(text.matches(of: #/from "\.\/([\w.]+)"/#).map { "/page/\($0.1)" })
                let tag = try #require(file.headers[.eTag])
                let again = try await console.client.execute(uri: name, method: .get, headers: [.ifNoneMatch: tag])
                #expect(again.status == .notModified && again.body.readableBytes == 0)
            }
            #expect(known.count == 14)
            #expect(try await console.client.execute(uri: "/page/../secret", method: .get).status == .notFound)
        }
    }

    @Test("Services that are away are named, and a timeline that nobody knows is not found") func away() async throws {
        try await ConsoleFixture.run { console in
            let orders = try await console.client.execute(uri: "/api/orders", method: .get)
            #expect(orders.status == .serviceUnavailable)
            #expect(String(buffer: orders.body).contains("order does not answer"))
            #expect(try await console.client.execute(uri: "/api/timelines/x", method: .get).status == .notFound)
            try await console.store.add([.sample(1, attributes: ["shop.correlation_id": .string("c-1")])])
            let timeline = try await console.client.execute(uri: "/api/timelines/c-1", method: .get)
            #expect(timeline.status == .ok)
            #expect(String(buffer: timeline.body).contains("order does not answer"))
            let plain = try await console.client.execute(
                uri: "/api/order/orders", method: .post, headers: [.contentType: "text/plain"],
                body: ByteBuffer(string: "{}"))
            #expect(plain.status == .unsupportedMediaType)
        }
    }
}
