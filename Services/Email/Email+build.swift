import Contracts
import Messaging
import Outbox
import Persistence
import ServiceKit

/// Puts the service together.
func build(_ chassis: Chassis) async throws -> Assembly {
    let configuration = chassis.configuration
    let readiness = chassis.readiness
    let settings = try EmailSettings(configuration)
    let messaging = try MessagingSettings(
        string: configuration.string, int: configuration.int, url: configuration.url)
    let templates = try MailTemplates()
    let transport: any MailTransport =
        if let server = settings.smtp { SMTP(server: server) } else { try Maildir(path: settings.maildir) }

    let database = try await Databases.open(
        url: configuration.databaseURL, importing: configuration.databaseImport, migrations: MailStore.migrations,
        logger: chassis.logger, report: readiness.reporter(of: "database"))
    let store = MailStore(database: database)
    var endpoint = MessageEndpoint(
        service: "email", queue: .email, database: database, settings: messaging, logger: chassis.logger,
        report: readiness.reporter(of: "broker"))
    let effects = Effects()
    MailWriter(store: store, templates: templates, effects: effects, logger: chassis.logger)
        .register(on: &endpoint.handlers)

    var sender = EffectSender(
        database: database, effects: effects, outbox: nil, logger: chassis.logger, concurrency: MailCarrier.concurrency)
    MailCarrier(
        store: store, transport: transport, from: settings.from, readiness: readiness, logger: chassis.logger
    ).register(on: &sender)

    let router = chassis.router()
    Routes(store: store).add(to: router)
    return Assembly(router: router, services: endpoint.services(with: [sender]))
}
