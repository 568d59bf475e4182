import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import ServiceKit
import Webhooks

/// Puts the order service together: the only place where its concrete types meet.
func build(_ chassis: Chassis) async throws -> Assembly {
    let configuration = chassis.configuration
    guard let webhookSecret = WebhookSecret(try configuration.secret("PAYMENT_WEBHOOK_SECRET")) else {
        throw ConfigurationError("PAYMENT_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 bytes.")
    }
    // A queue delays a message by 900 s at most.
    let paymentTimeout = try configuration.seconds("PAYMENT_TIMEOUT_SECONDS", default: 15, in: 1...900)

    let metrics = chassis.telemetry.metrics
    metrics.describe("saga.duration", "Time from an order's placing until it was in this status.")
    metrics.describe("quotes", "Quotes, by how they were asked for and whether all answers came in time.")
    let database = try await Databases.open(
        url: configuration.databaseURL, importing: configuration.databaseImport,
        migrations: Outbox.migrations + OrderStore.migrations, logger: chassis.logger,
        report: chassis.readiness.reporter(of: "database"))
    var endpoint = MessageEndpoint(
        service: "order", queue: .order, database: database,
        settings: try MessagingSettings(
            string: configuration.string, int: configuration.int, url: configuration.url), logger: chassis.logger,
        report: chassis.readiness.reporter(of: "broker"))

    let store = OrderStore(
        database: database, outbox: endpoint.outbox, changes: OrderChanges(lookingEvery: database.lookInterval),
        logger: chassis.logger)
    let saga = OrderSaga(paymentTimeout: paymentTimeout)
    Handlers(store: store, saga: saga).register(on: &endpoint.handlers)

    let addresses: [Gathering.Part: URL] = [
        .availability: try configuration.url("INVENTORY_URL", default: "http://127.0.0.1:8083"),
        .discount: try configuration.url("LOYALTY_URL", default: "http://127.0.0.1:8085"),
        .fee: try configuration.url("PAYMENT_URL", default: "http://127.0.0.1:8082"),
    ]
    let requester = endpoint.requester(report: chassis.readiness.reporter(of: "replies", required: false))
    let quoteClient = HTTPClientService(waitsForConnection: false)
    let desk = QuoteDesk(
        broker: QuoteRequests(requester: requester),
        http: QuoteCalls(http: quoteClient.client, addresses: addresses), clock: ContinuousClock())

    let router = chassis.router()
    Routes(store: store, saga: saga).add(to: router)
    QuoteRoute(pricing: Pricing(store: store), desk: desk).add(to: router)
    PaymentWebhookRoute(store: store, saga: saga, secret: webhookSecret, logger: chassis.logger).add(to: router)
    return Assembly(
        router: router,
        services: endpoint.services(with: [
            PriceListReadiness(store: store, readiness: chassis.readiness), requester, quoteClient,
        ]))
}
