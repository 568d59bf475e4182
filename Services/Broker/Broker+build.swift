import Hummingbird
import Logging
import NIOSSL
import Persistence
import ServiceKit

/// Puts the broker together: the only place where its concrete types meet.
func build(_ chassis: Chassis, clock: any BrokerClock = SystemClock()) async throws -> Assembly {
    let account = try chassis.configuration.string("BROKER_ACCOUNT_ID", default: "000000000000")
    guard account.utf8.count == 12, account.utf8.allSatisfy(\.isDigit) else {
        throw ConfigurationError("BROKER_ACCOUNT_ID must be 12 digits, not '\(account)'.")
    }
    let gatekeeper = try Gatekeeper(chassis.configuration)
    if gatekeeper.key == nil {
        chassis.logger.notice(
            "everybody who reaches the port may come in; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to have requests signed with them"
        )
    }
    let authorities = try authorities(chassis.configuration)
    QueueMetrics.describe(in: chassis.telemetry.metrics)
    TopicMetrics.describe(in: chassis.telemetry.metrics)
    let url = chassis.configuration.databaseURL
    let wasCutOff = FileCheck.isDue(url: url)
    let store = try await BrokerStore.open(url: url)
    let work = BackgroundWork()
    if wasCutOff { work.submit(FileCheck(url: url, store: store, logger: chassis.logger).run) }
    let queues = Queues(store: store, clock: clock, work: work, logger: chassis.logger)
    try await queues.open()
    let identity = try await store.signingIdentity()
    let topics = Topics(store: store, queues: queues, identity: identity, clock: clock, work: work)
    try await topics.open()
    let sender = HTTPSender(
        topics: topics, account: account, authorities: authorities, clock: clock, logger: chassis.logger)
    chassis.telemetry.metrics.beforeText {
        for queue in queues.withDeliveries { queue.updateMetrics() }
    }

    let moves = MoveTasks(store: store, queues: queues, clock: clock, work: work, logger: chassis.logger)
    try await moves.open()
    let routes = Routes(
        sqs: SQSOperations(queues: queues, moves: moves), sns: SNSOperations(topics: topics), account: account,
        gatekeeper: gatekeeper, logger: chassis.logger)
    let router = chassis.router()
    routes.add(to: router)
    let end = FileEnd(store: store, logger: chassis.logger)
    return Assembly(router: router, services: [end, work, sender], direct: routes.direct)
}

/// Who vouches for https endpoints, besides those that the system trusts.
private func authorities(_ configuration: ServiceConfiguration) throws(ConfigurationError) -> [NIOSSLCertificate] {
    guard let path = configuration.optional("BROKER_CA_FILE") else { return [] }
    guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
        throw ConfigurationError("BROKER_CA_FILE must name a file with certificates in PEM, and '\(path)' isn't one.")
    }
    return certificates
}

extension Gatekeeper {
    /// The key is named as clients name theirs, so that what the broker and its clients are told is the same.
    convenience init(_ configuration: ServiceConfiguration) throws(ConfigurationError) {
        let id = configuration.optional("AWS_ACCESS_KEY_ID")
        let secret = configuration.optional("AWS_SECRET_ACCESS_KEY")
        switch (id, secret) {
        case (let id?, let secret?): self.init(key: Key(id: id, secret: secret))
        case (nil, nil): self.init(key: nil)
        case (let id, _):
            throw ConfigurationError(
                "\(id == nil ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY") must be set as well; a key has an id and a secret."
            )
        }
    }
}
