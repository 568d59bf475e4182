import Contracts
import Logging
import Messaging
import Persistence
import ServiceKit

/// Puts the console together: the only place where its concrete types meet.
func build(_ chassis: Chassis) async throws -> Assembly {
    let settings = try ConsoleSettings(chassis.configuration)
    chassis.telemetry.metrics.describe("console.spans.received", "Spans that were taken.")
    chassis.telemetry.metrics.describe("console.spans.rejected", "Spans that were of no use, for want of valid ids.")
    let database = try await Databases.openSQLite(
        url: chassis.configuration.databaseURL, migrations: TraceStore.migrations)
    let client = HTTPClientService(waitsForConnection: false)
    let store = TraceStore(database: database, limits: settings.history)
    let services = ShopServices(http: client.client, urls: settings.urls)
    let orders = OrderSearch(services: services, store: store)
    let timelines = TimelineDesk(store: store, orders: orders, logs: settings.logFolder.map { LogFolder(path: $0) })
    let lookout = Lookout(
        services: services, orders: orders, names: settings.names)
    let desk = DeadLetterDesk(
        transport: AWSTransport(http: client.client, access: settings.broker.access, channels: .find),
        queues: Topology.shop.queues)

    // A line for each request of a page that asks every second would hide those that say something.
    let router = chassis.router(accessLog: .debug)
    router.addMiddleware { BrowserGuard(hosts: settings.hosts) }
    OTLPRoutes(store: store).add(to: router)
    Routes(services: services, orders: orders, timelines: timelines, store: store, lookout: lookout).add(to: router)
    DeadLetterRoutes(desk: desk).add(to: router)
    LiveRoute(lookout: lookout, timelines: timelines).add(to: router)
    PageRoutes().add(to: router)
    return Assembly(router: router, services: [client, lookout])
}
