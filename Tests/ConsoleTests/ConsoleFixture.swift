import AsyncHTTPClient
import Foundation
import Hummingbird
import HummingbirdTesting
import Persistence
import ServiceKit
import TestSupport
import Testing

@testable import Console

/// The console's own parts on a database of their own; the shop around it is away.
struct ConsoleFixture: Sendable {
    let store: TraceStore
    let client: any TestClientProtocol

    static let limits = TraceStore.Limits(spans: 1000, bytes: 1_000_000, age: 3600)

    static func run(_ body: @escaping @Sendable (ConsoleFixture) async throws -> Void) async throws {
        try await withTemporaryDatabase(TraceStore.migrations) { database in
            let store = TraceStore(database: database, limits: limits)
            let services = ShopServices(http: .shared, urls: [:])
            let orders = OrderSearch(services: services, store: store)
            let timelines = TimelineDesk(store: store, orders: orders, logs: nil)
            let chassis = Chassis(
                configuration: try ServiceConfiguration(service: "console", defaultPort: 0, environment: [:]),
                logger: .silent)
            let router = chassis.router()
            router.addMiddleware { BrowserGuard(hosts: ["localhost", "127.0.0.1"]) }
            OTLPRoutes(store: store).add(to: router)
            Routes(
                services: services, orders: orders, timelines: timelines, store: store,
                lookout: Lookout(services: services, orders: orders, names: ["order"])
            ).add(to: router)
            PageRoutes().add(to: router)
            let application = Assembly(router: router).application(
                configuration: .init(address: .hostname("127.0.0.1", port: 0)))
            try await application.test(.live) { client in
                try await body(ConsoleFixture(store: store, client: client))
            }
        }
    }

    var url: String { "http://127.0.0.1:\(client.port ?? 0)" }
}

extension SpanRecord {
    /// A span of a trace whose id is a digit repeated; times are milliseconds after some noon.
    static func sample(
        _ id: Int, parent: Int? = nil, trace: Int = 1, service: String = "order", name: String = "work",
        kind: Kind = .internal, from start: Int64 = 0, to end: Int64 = 1, attributes: [String: JSONValue] = [:]
    ) -> SpanRecord {
        let noon: Int64 = 1_800_000_000_000_000_000
        func hex(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return SpanRecord(
            traceID: hex(trace, 32), spanID: hex(id, 16), parentSpanID: parent.map { hex($0, 16) }, service: service,
            name: name, kind: kind, startNanoseconds: noon + start * 1_000_000,
            endNanoseconds: noon + end * 1_000_000, status: .unset, attributes: attributes, events: [])
    }
}
