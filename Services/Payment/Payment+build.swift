import Contracts
import Messaging
import Outbox
import Persistence
import ServiceKit
import ServiceLifecycle
import Webhooks

/// Puts the payment service together: the only place where its concrete types meet.
func build(_ chassis: Chassis) async throws -> Assembly {
    let configuration = chassis.configuration
    guard let webhookSecret = WebhookSecret(try configuration.secret("PAYMENT_WEBHOOK_SECRET")) else {
        throw ConfigurationError("PAYMENT_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64 bytes.")
    }
    let webhookURL = try configuration.url("ORDER_WEBHOOK_URL", default: "http://127.0.0.1:8081/webhooks/payments")
    let behaviour = SimulatedGateway.Behaviour(
        delay: try configuration.milliseconds("GATEWAY_DELAY_MILLISECONDS", default: 200, in: 0...86_400_000),
        slowDelay: try configuration.milliseconds(
            "GATEWAY_SLOW_DELAY_MILLISECONDS", default: 20_000, in: 0...86_400_000))

    let database = try await Databases.open(
        url: configuration.databaseURL, importing: configuration.databaseImport,
        migrations: Outbox.migrations + PaymentStore.migrations, logger: chassis.logger,
        report: chassis.readiness.reporter(of: "database"))
    let gatewayDatabase = try await Databases.open(
        url: try configuration.string("GATEWAY_DATABASE_URL", default: "sqlite:gateway.sqlite"),
        importing: configuration.optional("GATEWAY_DATABASE_IMPORT"),
        migrations: Outbox.migrations + GatewayStore.migrations, logger: chassis.logger,
        report: chassis.readiness.reporter(of: "gateway_database"))

    var endpoint = MessageEndpoint(
        service: "payment", queue: .payment, database: database,
        settings: try MessagingSettings(
            string: configuration.string, int: configuration.int, url: configuration.url), logger: chassis.logger,
        report: chassis.readiness.reporter(of: "broker"))
    let effects = Effects()
    let store = PaymentStore(database: database, outbox: endpoint.outbox, effects: effects)
    let gateway = SimulatedGateway(
        store: GatewayStore(database: gatewayDatabase, effects: Effects()), behaviour: behaviour,
        logger: chassis.logger, report: store.settle)
    Handlers(store: store).register(on: &endpoint.handlers)

    let webhookClient = HTTPClientService()
    var sender = EffectSender(
        database: database, effects: effects, outbox: endpoint.outbox, logger: chassis.logger)
    GatewayCalls(gateway: gateway, store: store).register(on: &sender)
    WebhookCalls(http: webhookClient.client, url: webhookURL, secret: webhookSecret, logger: chassis.logger)
        .register(on: &sender)

    let answers = QuoteAnswers(delay: try AnswerDelay(configuration))
    var responder = endpoint.responder(on: .paymentRequests)
    answers.register(on: &responder)

    let router = chassis.router()
    Routes(store: store, gateway: gateway).add(to: router)
    answers.add(to: router)
    return Assembly(
        router: router, services: endpoint.services(with: [webhookClient, sender, gateway.reporter(), responder]))
}
