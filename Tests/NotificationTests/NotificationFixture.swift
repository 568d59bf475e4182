import Contracts
import Foundation
import Logging
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing
import Webhooks

@testable import Notification

/// Notification's handlers and its sender of webhooks over a real database, and endpoints to send them to.
struct NotificationFixture: Sendable {
    static let migrations =
        Outbox.migrations + NotificationStore.migrations + WebhookEndpointStore.migrations
        + WebhookDeliveryStore.migrations

    let harness: HandlerHarness
    let endpoints: WebhookEndpointStore
    let deliveries: WebhookDeliveryStore
    let effects = Effects()

    init(_ database: any Database) {
        var harness = HandlerHarness(service: "notification", database: database)
        endpoints = WebhookEndpointStore(database: database)
        deliveries = WebhookDeliveryStore(database: database, effects: effects)
        Handlers(
            store: NotificationStore(database: database),
            webhooks: WebhookFanOut(endpoints: endpoints, deliveries: deliveries), patience: .seconds(60),
            logger: .silent
        ).register(on: &harness.handlers)
        self.harness = harness
    }

    var fanOut: WebhookFanOut { WebhookFanOut(endpoints: endpoints, deliveries: deliveries) }

    static func run(_ body: @Sendable (NotificationFixture) async throws -> Void) async throws {
        try await withTemporaryDatabase(migrations) { try await body(NotificationFixture($0)) }
    }

    func add(
        _ url: String, _ types: [MerchantEvent] = [WebhookEndpoint.everything], secret: WebhookSecret = .make()
    ) async throws -> WebhookEndpoint {
        let endpoint = WebhookEndpoint(
            url: url, eventTypes: types, description: "", ownerEmail: "owner@example.com", secret: secret)
        try await endpoints.add(endpoint)
        return endpoint
    }

    /// Sends webhooks while `body` runs.
    /// - Parameter retries: the schedule, which is much quicker than the standard one.
    func sending(
        retries: [Duration] = Array(repeating: .milliseconds(1), count: 9), disableAfter: Duration = .seconds(432_000),
        timeout: Duration = .seconds(600), now: @escaping @Sendable () -> Date = { Date() },
        resolve: @escaping @Sendable (String) async throws -> [IPAddress] = HostNames.addresses,
        allowing exception: AddressGuard.Exception = .loopback, _ body: () async throws -> Void
    ) async throws {
        var sender = EffectSender(
            database: harness.database, effects: effects, outbox: harness.outbox, logger: .silent,
            concurrency: WebhookSender.concurrency, perLane: WebhookSender.perEndpoint)
        WebhookSender(
            endpoints: endpoints, deliveries: deliveries,
            client: WebhookClient(
                addresses: AddressGuard(allowing: exception, resolve: resolve), timeout: timeout, userAgent: "test"),
            patience: WebhookPatience(schedule: RetrySchedule(delays: retries), disableAfter: disableAfter),
            logger: .silent, now: now
        ).register(on: &sender)
        try await withRunning(sender) { _ in try await body() }
    }

    /// Delivers an event to notification's queue.
    @discardableResult
    func happen(_ order: OrderID = "order-1", id: String = UUIDv7.make()) async throws -> String {
        _ = try await harness.deliver(
            OrderRefunded(orderId: order, customer: .ada, total: Money(amountMinorUnits: 1998, currency: "EUR")), id: id
        )
        return "msg_\(id)"
    }

    /// The endpoint's log, the oldest first, as soon as it is as it should be. A database doesn't call back, so it is
    /// looked at again and again.
    func log(
        of endpoint: EndpointID, when isReady: ([WebhookDelivery]) -> Bool
    ) async throws -> [WebhookDelivery] {
        while true {
            try Task.checkCancellation()
            let log = try await deliveries.deliveries(of: endpoint, status: nil, before: nil, limit: 1000)
            if isReady(log) { return log.reversed() }
            try await ContinuousClock().sleep(for: .milliseconds(5))
        }
    }

    func settled(of endpoint: EndpointID, _ count: Int) async throws -> [WebhookDelivery] {
        try await log(of: endpoint) { log in log.count { $0.status != .pending } == count }
    }

    func attempts(of delivery: DeliveryID) async throws -> [WebhookAttempt] {
        try #require(try await deliveries.entry(delivery, mostAttempts: 100)).attempts
    }

    func endpoint(_ id: EndpointID) async throws -> WebhookEndpoint {
        try #require(try await endpoints.endpoint(id))
    }
}

extension WebhookFanOut {
    static func over(_ database: any Database) -> WebhookFanOut {
        WebhookFanOut(
            endpoints: WebhookEndpointStore(database: database),
            deliveries: WebhookDeliveryStore(database: database, effects: Effects()))
    }
}
