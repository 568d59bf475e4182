import Contracts
import Messaging
import Outbox
import Persistence
import ServiceKit
import Webhooks

/// Puts the notification service together: the only place where its concrete types meet.
func build(_ chassis: Chassis) async throws -> Assembly {
    let configuration = chassis.configuration
    let webhooks = try WebhookSettings(configuration)
    let metrics = chassis.telemetry.metrics
    metrics.describe("webhook.attempts", "Tries of merchants' webhooks, by what became of them.")
    metrics.describe("notification.lines.held_back", "Lines that waited for what comes before them.")
    metrics.describe(
        "notification.lines.told_anyway", "Lines that were told after waiting in vain for what comes before.")
    let database = try await Databases.open(
        url: configuration.databaseURL, importing: configuration.databaseImport,
        migrations: Outbox.migrations + NotificationStore.migrations + WebhookEndpointStore.migrations
            + WebhookDeliveryStore.migrations, logger: chassis.logger,
        report: chassis.readiness.reporter(of: "database"))
    var endpoint = MessageEndpoint(
        service: "notification", queue: .notification, database: database,
        settings: try MessagingSettings(
            string: configuration.string, int: configuration.int, url: configuration.url), logger: chassis.logger,
        report: chassis.readiness.reporter(of: "broker"))

    // A queue delays a message by 900 s at most.
    let patience = try configuration.seconds("HOLD_BACK_SECONDS", default: 60, in: 1...900)
    let heartbeat = try configuration.seconds("STREAM_HEARTBEAT_SECONDS", default: 15, in: 1...60)

    let store = NotificationStore(database: database)
    let effects = Effects()
    let endpoints = WebhookEndpointStore(database: database)
    let deliveries = WebhookDeliveryStore(database: database, effects: effects)
    let fanOut = WebhookFanOut(endpoints: endpoints, deliveries: deliveries)
    Handlers(store: store, webhooks: fanOut, patience: patience, logger: chassis.logger)
        .register(on: &endpoint.handlers)

    var sender = EffectSender(
        database: database, effects: effects, outbox: endpoint.outbox, logger: chassis.logger,
        concurrency: WebhookSender.concurrency, perLane: WebhookSender.perEndpoint)
    WebhookSender(
        endpoints: endpoints, deliveries: deliveries,
        client: WebhookClient(
            addresses: webhooks.addresses, timeout: webhooks.timeout, userAgent: "async-shop/\(ShopVersion.current)"),
        patience: webhooks.patience, logger: chassis.logger
    ).register(on: &sender)

    let router = chassis.router()
    Routes(store: store, feed: LiveFeed(store: store, heartbeat: heartbeat)).add(to: router)
    WebhookRoutes(endpoints: endpoints, deliveries: deliveries, fanOut: fanOut, addresses: webhooks.addresses)
        .add(to: router)
    return Assembly(router: router, services: endpoint.services(with: [sender]))
}
