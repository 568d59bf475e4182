import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import ServiceKit
import Synchronization
import Telemetry

/// A chassis whose spans, metrics and log lines can be looked at.
struct Fixture {
    let spans = SpanRecorder()
    let lines = Lines()
    let chassis: Chassis

    init() throws {
        let lines = self.lines
        let telemetry = Telemetry(service: "test", tracer: ShopTracer(sinks: [self.spans]))
        self.chassis = Chassis(
            configuration: try ServiceConfiguration(service: "test", defaultPort: 0, environment: [:]),
            telemetry: telemetry, logger: Logger(label: "test") { _ in lines.handler() },
            openAPI: Array("openapi: 3.1.0\n".utf8))
    }

    func test<Value>(
        _ setup: TestingSetup = .router, routes: (Router<ShopRequestContext>) -> Void = { _ in },
        _ body: @Sendable (any TestClientProtocol) async throws -> Value
    ) async throws -> Value {
        let router = self.chassis.router()
        routes(router)
        return try await Assembly(router: router).application().test(setup, body)
    }
}

/// Log lines, kept.
final class Lines: Sendable {
    private let messages = Mutex<[String]>([])

    var all: [String] { self.messages.withLock { $0 } }

    func handler() -> any LogHandler { Handler(lines: self) }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.messages.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}

/// A problem as a client reads it.
struct ReceivedProblem: Decodable, Equatable {
    var type: String
    var title: String
    var status: Int
    var detail: String
    var field: String?
    var instance: String?

    init(_ response: TestResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body.readableBytesView))
    }
}
