import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import ServiceKit

/// Puts the inventory service together: the only place where its concrete types meet.
func build(_ chassis: Chassis) async throws -> Assembly {
    let configuration = chassis.configuration
    let database = try await Databases.open(
        url: configuration.databaseURL, importing: configuration.databaseImport,
        migrations: Outbox.migrations + InventoryStore.migrations, logger: chassis.logger,
        report: chassis.readiness.reporter(of: "database"))
    var endpoint = MessageEndpoint(
        service: "inventory", queue: .inventory, database: database,
        settings: try MessagingSettings(
            string: configuration.string, int: configuration.int, url: configuration.url), logger: chassis.logger,
        report: chassis.readiness.reporter(of: "broker"))

    let store = InventoryStore(database: database, outbox: endpoint.outbox)
    try await store.publishCatalogue(
        seed: try JSONDecoder().decode([SeedProduct].self, from: Data(PackageResources.products_json)),
        context: .current())
    Handlers(store: store).register(on: &endpoint.handlers)

    let answers = QuoteAnswers(store: store, delay: try AnswerDelay(configuration))
    var responder = endpoint.responder(on: .inventoryRequests)
    answers.register(on: &responder)

    let router = chassis.router()
    Routes(store: store).add(to: router)
    answers.add(to: router)
    return Assembly(router: router, services: endpoint.services(with: [responder]))
}
