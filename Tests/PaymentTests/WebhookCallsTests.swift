import AsyncHTTPClient
import Contracts
import Foundation
import Messaging
import Outbox
import TestSupport
import Testing
import Webhooks

@testable import Payment

@Suite("Payment's webhooks to order", .timeLimit(.minutes(1))) struct WebhookCallsTests {
    private let charged = Date(timeIntervalSince1970: 1_772_366_400)

    @Test("What order refuses is tried for three days and then given up", arguments: [401, 409, 422])
    func refused(status: Int) async throws {
        let late = try await attempts(answering: status, after: .seconds(76 * 3600), until: 1)
        #expect(late.count == 1)
        let early = try await attempts(answering: status, after: .seconds(75 * 3600), until: 3)
        #expect(Set(early.map(\.id)) == ["msg_1"])
    }

    @Test("While order is in trouble there is no end", arguments: [429, 500, 503]) func trouble(status: Int)
        async throws
    {
        let sent = try await attempts(answering: status, after: .seconds(1000 * 3600), until: 3)
        #expect(sent.count >= 3)
    }

    /// Sends one webhook until it is over or has been tried `count` times.
    private func attempts(
        answering status: Int, after age: Duration, until count: Int
    ) async throws -> [WebhookReceiver.Received] {
        try await WebhookReceiver.run { receiver in
            receiver.answer { _ in .status(status) }
            try await withTemporaryDatabase(Outbox.migrations) { database in
                let effects = Effects()
                let webhook = PaymentWebhook(
                    type: .succeeded, timestamp: charged,
                    data: .init(
                        orderId: "order-1", chargeId: "charge-1", amount: Money(amountMinorUnits: 1, currency: "EUR")))
                try await database.write { transaction in
                    try effects.add(
                        SendPaymentWebhook(webhook: webhook), key: "msg_1",
                        context: MessageContext(correlationID: "correlation-1"), in: transaction)
                }
                let sender = EffectSender(
                    database: database, effects: effects, outbox: nil, logger: .silent,
                    retry: RetryPolicy(base: .milliseconds(1), longest: .milliseconds(1)))
                let url = try #require(URL(string: receiver.url()))
                try await HTTPClient.withHTTPClient { [sender] http in
                    var sender = sender
                    WebhookCalls(
                        http: http, url: url, secret: .make(), logger: .silent,
                        now: { [charged] in charged.addingTimeInterval(age.inSeconds) }
                    ).register(on: &sender)
                    try await withRunning(sender) { _ in
                        await receiver.first(count)
                        if count == 1 {
                            while try await database.read({ try $0.row("SELECT * FROM effects") }) != nil {
                                try Task.checkCancellation()
                                await Task.yield()
                            }
                        }
                    }
                }
            }
            return receiver.all()
        }
    }
}
