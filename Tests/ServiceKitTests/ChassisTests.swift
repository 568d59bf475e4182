import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import ServiceKit
import Telemetry
import Testing
import Tracing

@Suite("Chassis")
struct ChassisTests {
    let fixture: Fixture
    private let correlationID = HTTPField.Name("X-Correlation-ID")!
    private let traceparent = HTTPField.Name("traceparent")!

    init() throws {
        self.fixture = try Fixture()
    }

    private func addRoutes(to router: Router<ShopRequestContext>) {
        router.get("orders/:id") { _, context in try context.parameters.require("id") }
        router.post("orders") { _, _ in HTTPResponse.Status.accepted }
        router.get("broken") { _, _ -> String in
            throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: "/secret/path"])
        }
        router.get("context") { _, _ in ServiceContext.current?.correlationID ?? "none" }
    }

    @Test("takes over the caller's correlation id, in the answer and in the handler")
    func correlation() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(
                uri: "/context", method: .get, headers: [self.correlationID: "c-1"])
            #expect(response.headers[self.correlationID] == "c-1")
            #expect(String(buffer: response.body) == "c-1")
        }
        #expect(self.fixture.spans.spans.first?.correlationID == "c-1")
    }

    @Test("makes a correlation id when there is none that can be used", arguments: [nil, "", "two words", "ü"])
    func newCorrelation(given: String?) async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(
                uri: "/context", method: .get, headers: given.map { [self.correlationID: $0] } ?? [:])
            let id = try #require(response.headers[self.correlationID])
            #expect(CorrelationID.isValid(id))
            #expect(id != given)
            #expect(String(buffer: response.body) == id)
        }
    }

    @Test("every error carries the correlation id", arguments: ["/nowhere", "/broken"])
    func correlationOfErrors(path: String) async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(uri: path, method: .get, headers: [self.correlationID: "c-2"])
            #expect(response.headers[self.correlationID] == "c-2")
        }
    }

    @Test("404 for an unknown path")
    func notFound() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(uri: "/nowhere?x=1", method: .get)
            #expect(response.status == .notFound)
            #expect(response.headers[.contentType] == "application/problem+json")
            let problem = try ReceivedProblem(response)
            #expect(problem.type == "urn:shop:problem:not-found")
            #expect(problem.detail == "There is nothing at /nowhere; see /openapi.yaml.")
            #expect(problem.instance == "/nowhere")
        }
    }

    @Test(
        "405 with Allow for a known path",
        arguments: [
            ("/orders", HTTPRequest.Method.get, "POST"), ("/orders/1", .delete, "GET, HEAD"),
            ("/orders", .options, "POST"), ("/metrics", .post, "GET, HEAD"),
        ])
    func methodNotAllowed(path: String, method: HTTPRequest.Method, allow: String) async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(uri: path, method: method)
            #expect(response.status == .methodNotAllowed)
            #expect(response.headers[.allow] == allow)
            #expect(try ReceivedProblem(response).detail == "\(method) isn't possible here; use \(allow).")
        }
    }

    @Test("405 for a method that nobody knows, 404 where there is nothing for any")
    func unknownMethod() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let brew = try #require(HTTPRequest.Method("BREW"))
            let response = try await client.execute(uri: "/orders/1", method: brew)
            #expect(response.status == .methodNotAllowed)
            #expect(response.headers[.allow] == "GET, HEAD")
            #expect(try ReceivedProblem(response).detail == "This method isn't possible here; use GET, HEAD.")
            #expect(try await client.execute(uri: "/nowhere", method: brew).status == .notFound)
        }
    }

    @Test("HEAD is GET without the body")
    func head() async throws {
        try await self.fixture.test(.live, routes: self.addRoutes) { client in
            let response = try await client.execute(uri: "/orders/1", method: .head)
            #expect(response.status == .ok)
            #expect(response.body.readableBytes == 0)
        }
    }

    @Test("500 for the unexpected: nothing in the answer, everything in the log")
    func unexpected() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            let response = try await client.execute(uri: "/broken", method: .get)
            #expect(response.status == .internalServerError)
            #expect(!String(buffer: response.body).contains("secret"))
            #expect(try ReceivedProblem(response).type == "urn:shop:problem:internal")
        }
        #expect(self.fixture.lines.all.contains { $0.contains("GET /broken failed unexpectedly.") })
        let span = try #require(self.fixture.spans.spans.first)
        #expect(span.status?.code == .error)
        #expect(span.attributes["error.type"]?.toSpanAttribute() == .string("500"))
    }

    @Test("a span by OpenTelemetry's conventions, below the caller's")
    func span() async throws {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await self.fixture.test(routes: self.addRoutes) { client in
            _ = try await client.execute(
                uri: "/orders/7?x=1", method: .get, headers: [self.traceparent: parent])
        }
        let span = try #require(self.fixture.spans.spans.first)
        #expect(span.name == "GET /orders/{id}")
        #expect(span.kind == .server)
        #expect(span.spanContext.traceID.description == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(span.parentSpanID?.description == "00f067aa0ba902b7")
        let attributes = { (key: String) in span.attributes[key]?.toSpanAttribute() }
        #expect(attributes("http.request.method") == .string("GET"))
        #expect(attributes("http.route") == .string("/orders/{id}"))
        #expect(attributes("url.path") == .string("/orders/7"))
        #expect(attributes("url.query") == .string("x=1"))
        #expect(attributes("http.response.status_code") == .int64(200))
        #expect(span.status == nil)
    }

    @Test("names of spans and metrics don't grow with what callers make up")
    func cardinality() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            _ = try await client.execute(uri: "/made/up", method: .get)
            _ = try await client.execute(uri: "/orders", method: try #require(.init("MADEUP")))
        }
        #expect(self.fixture.spans.spans.map(\.name) == ["GET", "_OTHER /orders"])
        #expect(!self.fixture.chassis.telemetry.metrics.text().contains("up"))
    }

    @Test("what watches the service makes no spans and no lines")
    func operational() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            for path in ["/health/live", "/health/ready", "/metrics"] {
                let response = try await client.execute(uri: path, method: .get)
                #expect(response.status == .ok)
            }
        }
        #expect(self.fixture.spans.spans.isEmpty)
        #expect(self.fixture.lines.all.isEmpty)
    }

    @Test("requests are measured by method, route and status")
    func metrics() async throws {
        try await self.fixture.test(routes: self.addRoutes) { client in
            _ = try await client.execute(uri: "/orders/1", method: .get)
            _ = try await client.execute(uri: "/orders/2", method: .get)
            let response = try await client.execute(uri: "/metrics", method: .get)
            #expect(response.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            let text = String(buffer: response.body)
            let labels = #"http_request_method="GET",http_response_status_code="200",http_route="/orders/{id}""#
            #expect(text.contains("http_server_request_duration_seconds_count{\(labels)} 2\n"))
            #expect(text.contains("\nhttp_server_active_requests 1\n"))
        }
    }

    @Test("/openapi.yaml is what the service gave")
    func openAPI() async throws {
        try await self.fixture.test { client in
            let response = try await client.execute(uri: "/openapi.yaml", method: .get)
            #expect(response.headers[.contentType] == "application/yaml")
            #expect(String(buffer: response.body) == "openapi: 3.1.0\n")
        }
    }

    @Test("/health/ready follows the checks")
    func readiness() async throws {
        struct Report: Decodable {
            struct Check: Decodable {
                var ready: Bool
                var detail: String
            }
            var status: String
            var checks: [String: Check]
        }
        let readiness = self.fixture.chassis.readiness
        try await self.fixture.test { client in
            func ready() async throws -> (HTTPResponse.Status, Report) {
                let response = try await client.execute(uri: "/health/ready", method: .get)
                return (response.status, try JSONDecoder().decode(Report.self, from: response.body))
            }
            readiness.set("broker", ready: false, detail: "No answer yet.")
            var (status, report) = try await ready()
            #expect(status == .serviceUnavailable)
            #expect(report.status == "starting")
            #expect(report.checks["broker"]?.detail == "No answer yet.")

            readiness.set("broker", ready: true)
            (status, report) = try await ready()
            #expect(status == .ok)
            #expect(report.status == "ready")

            readiness.set("broker", ready: false, detail: "Gone.")
            readiness.set("broker", ready: false, detail: "Still gone.")
            (status, report) = try await ready()
            #expect(status == .serviceUnavailable)
            #expect(report.status == "unavailable")

            readiness.set("broker", ready: false, detail: "Gone.", required: false)
            (status, report) = try await ready()
            #expect(status == .ok)
            #expect(report.status == "degraded")
            #expect(try await client.execute(uri: "/health/live", method: .get).status == .ok)
        }
        let lines = self.fixture.lines.all.filter { $0.hasPrefix("broker") }
        #expect(lines.count == 3, "Each change is said once.")
    }
}
