import Contracts
import Foundation
import Synchronization
import TestSupport
import Testing
import Webhooks

@testable import Notification

@Suite("Webhooks to merchants", .timeLimit(.minutes(1))) struct WebhookSenderTests {
    @Test("An event becomes a signed webhook for each endpoint that wants it, once") func fanOut() async throws {
        try await WebhookReceiver.run { receiver in
            try await NotificationFixture.run { service in
                let secret = WebhookSecret.make()
                let all = try await service.add(receiver.url("/all"), secret: secret)
                let other = try await service.add(receiver.url("/other"), [.orderPlaced])
                let refunds = try await service.add(receiver.url("/refunds"), [.orderRefunded])
                let id = try await service.happen(id: "event-1")
                try await service.happen(id: "event-1")
                try await service.sending {
                    let sent = try #require(await receiver.first(1, at: "/all").first)
                    let verified = try WebhookSignature.verify(
                        header: { sent.headers[$0] }, body: sent.body, secret: secret, now: Date())
                    #expect(verified == id)
                    #expect(sent["type"] == "order.refunded")
                    #expect(sent.data("orderId") == "order-1")
                    #expect(sent.headers["content-type"] == "application/json")
                    #expect(sent.headers["x-correlation-id"] == "correlation-1")
                    #expect(sent.headers["user-agent"] == "test")
                    #expect(await receiver.first(1, at: "/refunds").first?.id == id, "one id for each event")
                    _ = try await service.settled(of: all.id, 1)
                    _ = try await service.settled(of: refunds.id, 1)
                }
                #expect(receiver.received.values.count == 2)
                #expect(try await service.log(of: other.id) { _ in true } == [])
            }
        }
    }

    @Test("What fails is sent again with the same id and a signature of its own, and the log shows each attempt")
    func failThenRecover() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { $0 <= 2 ? .status(500, text: "out of order \($0)") : .status(200, text: "thanks") }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                let id = try await service.happen()
                try await service.sending {
                    let sent = await receiver.first(3)
                    #expect(sent.map(\.id) == [id, id, id])
                    let entry = try #require(try await service.settled(of: endpoint.id, 1).first)
                    #expect(entry.status == .delivered && entry.attempts == 3)
                    #expect(entry.nextAttemptAt == nil && entry.settledAt != nil)
                    let attempts = try await service.attempts(of: entry.id)
                    #expect(
                        attempts.map(\.result) == [
                            .answered(WebhookAnswer(status: 500, start: "out of order 1")),
                            .answered(WebhookAnswer(status: 500, start: "out of order 2")),
                            .answered(WebhookAnswer(status: 200, start: "thanks")),
                        ])
                }
                #expect(try await service.endpoint(endpoint.id).failingSince == nil)
            }
        }
    }

    @Test("After the last retry it is given up, and by hand it is sent again with the same id") func redelivery()
        async throws
    {
        try await WebhookReceiver.run { receiver in
            receiver.answer { $0 <= 3 ? .status(500) : .status(204) }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                let id = try await service.happen()
                try await service.sending(retries: [.milliseconds(1), .milliseconds(1)]) {
                    let entry = try #require(try await service.settled(of: endpoint.id, 1).first)
                    #expect(entry.status == .failed && entry.attempts == 3)
                    try await service.harness.database.write { transaction in
                        try service.deliveries.redeliver(
                            entry.id, of: endpoint.id, context: .current(), in: transaction)
                    }
                    #expect(await receiver.first(4).map(\.id) == [id, id, id, id])
                    let log = try await service.log(of: endpoint.id) { $0.first?.status == .delivered }
                    #expect(log.map(\.attempts) == [4])
                }
            }
        }
    }

    @Test("An endpoint that hangs delays no other, however much waits for it") func hanging() async throws {
        try await WebhookReceiver.run { receiver in
            let gate = Gate()
            receiver.answer("/hanging") { _ in .later(gate, status: 204) }
            try await NotificationFixture.run { service in
                let hanging = try await service.add(receiver.url("/hanging"))
                let quick = try await service.add(receiver.url("/quick"))
                // More than may be on their way at once, so that they would take all places if they could.
                let count = WebhookSender.concurrency + 1
                for number in 1...count { try await service.happen(OrderID(rawValue: "order-\(number)")) }
                try await service.sending(timeout: .seconds(600)) {
                    // All of them, while not one of the other's has had an answer.
                    _ = try await service.settled(of: quick.id, count)
                    #expect(receiver.all(at: "/hanging").count <= WebhookSender.perEndpoint)
                    #expect(
                        try await service.log(of: hanging.id) { _ in true }.allSatisfy { $0.status == .pending })
                    // Taken away while some are on their way, which is no trouble.
                    #expect(try await service.deliveries.removeEndpoint(hanging.id, from: service.endpoints))
                    gate.open()
                }
            }
        }
    }

    @Test("No answer in time is a failure that the log explains") func timeout() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { $0 == 1 ? .never : .status(204) }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                try await service.happen()
                try await service.sending(timeout: .milliseconds(200)) {
                    let entry = try #require(try await service.settled(of: endpoint.id, 1).first)
                    let attempts = try await service.attempts(of: entry.id)
                    // On a busy machine an answer may be late that was given at once; there are more attempts then.
                    #expect(attempts.count >= 2)
                    for attempt in attempts.dropLast() {
                        guard case .failed(let reason) = attempt.result else {
                            Issue.record("an attempt before the last did not fail: \(attempt.result)")
                            continue
                        }
                        #expect(reason.hasPrefix("No answer"), "\(reason)")
                    }
                    guard case .answered(let answer) = attempts.last?.result else {
                        Issue.record("the last attempt was not answered")
                        return
                    }
                    #expect(answer.status == 204)
                    #expect(attempts[0].duration >= .milliseconds(190))
                }
            }
        }
    }

    @Test("410 disables the endpoint, gives up what waits for it, and has its owner told") func gone() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { _ in .status(410) }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                try await service.happen()
                try await service.sending {
                    _ = try await service.settled(of: endpoint.id, 1)
                    #expect(try await service.endpoint(endpoint.id).status == .disabled)
                    #expect(try await service.harness.takeSent() == [TellEndpointOwner.type])
                    try await service.happen("order-2")
                    #expect(try await service.log(of: endpoint.id) { _ in true }.count == 1, "no more is kept for it")
                }
            }
        }
    }

    @Test("Five days of failures disable it, as its clock has it, and its owner is told once") func failing()
        async throws
    {
        try await WebhookReceiver.run { receiver in
            receiver.answer { _ in .status(500) }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                let start = Date()
                let days = Mutex(0.0)
                for number in 1...3 { try await service.happen(OrderID(rawValue: "order-\(number)")) }
                try await service.sending(
                    retries: Array(repeating: .milliseconds(1), count: 1000),
                    now: { start.addingTimeInterval(days.withLock { $0 } * 24 * 3600) }
                ) {
                    await receiver.first(6)
                    #expect(try await service.endpoint(endpoint.id).status == .active)
                    days.withLock { $0 = 5.01 }
                    let log = try await service.log(of: endpoint.id) { $0.allSatisfy { $0.status == .failed } }
                    #expect(log.count == 3)
                    #expect(try await service.endpoint(endpoint.id).disabledReason == .failing)
                }
                #expect(try await service.harness.takeSent() == [TellEndpointOwner.type])
            }
        }
    }

    @Test("What happens while it is paused is sent when it is resumed") func pause() async throws {
        try await WebhookReceiver.run { receiver in
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                let other = try await service.add(receiver.url("/other"))
                _ = try await service.endpoints.change(endpoint.id, { try $0.pause() })
                let id = try await service.happen()
                try await service.sending {
                    _ = try await service.settled(of: other.id, 1)
                    _ = try await service.endpoints.change(endpoint.id) { endpoint in
                        endpoint.resume()
                    } and: { endpoint, transaction in
                        #expect(receiver.all().isEmpty)
                        try service.deliveries.release(endpoint.id, in: transaction)
                    }
                    #expect(await receiver.first(1).first?.id == id)
                    let entry = try #require(try await service.settled(of: endpoint.id, 1).first)
                    #expect(entry.attempts == 1)
                }
            }
        }
    }

    @Test("Retry-After holds back all webhooks of the endpoint") func throttle() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { $0 == 1 ? .status(429, headers: ["retry-after": "3600"]) : .status(204) }
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                let other = try await service.add(receiver.url("/other"))
                let start = Date()
                let hours = Mutex(0.0)
                try await service.sending(now: { start.addingTimeInterval(hours.withLock { $0 } * 3600) }) {
                    try await service.happen("order-1")
                    _ = try await service.log(of: endpoint.id) { $0.first?.attempts == 1 }
                    try await service.happen("order-2")
                    _ = try await service.settled(of: other.id, 2)
                    let until = try #require(try await service.endpoint(endpoint.id).throttledUntil)
                    #expect(abs(until.timeIntervalSince(start) - 3600) < 1)
                    #expect(receiver.all().count == 1)
                }
            }
        }
    }

    @Test("Two signatures while the secret is being rotated, either of which will do") func rotation() async throws {
        try await WebhookReceiver.run { receiver in
            try await NotificationFixture.run { service in
                let old = WebhookSecret.make()
                let new = WebhookSecret.make()
                let endpoint = try await service.add(receiver.url(), secret: old)
                _ = try await service.endpoints.change(endpoint.id) {
                    $0.rotate(to: new, keepingOldUntil: Date(timeIntervalSinceNow: 60))
                }
                try await service.happen()
                try await service.sending {
                    let sent = try #require(await receiver.first(1).first)
                    #expect(sent.headers["webhook-signature"]?.split(separator: " ").count == 2)
                    for secret in [old, new] {
                        _ = try WebhookSignature.verify(
                            header: { sent.headers[$0] }, body: sent.body, secret: secret, now: Date())
                    }
                    _ = try await service.settled(of: endpoint.id, 1)
                }
            }
        }
    }

    @Test("A name that leads elsewhere after its registration is refused before anything is sent") func rebinding()
        async throws
    {
        try await WebhookReceiver.run { receiver in
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url(host: "merchant.example"))
                try await service.happen()
                try await service.sending(retries: [], resolve: { _ in [.v4(0x7F00_0001)] }, allowing: .none) {
                    let entry = try #require(try await service.settled(of: endpoint.id, 1).first)
                    #expect(entry.status == .failed)
                    let attempts = try await service.attempts(of: entry.id)
                    #expect(
                        attempts.map(\.result) == [
                            .failed(
                                "The host 'merchant.example' has the address 127.0.0.1, which is not on the public internet."
                            )
                        ])
                }
                #expect(receiver.received.values.isEmpty)
            }
        }
    }

    @Test("What was to be sent when the process ended is sent by the next") func restart() async throws {
        try await WebhookReceiver.run { receiver in
            try await NotificationFixture.run { service in
                let endpoint = try await service.add(receiver.url())
                var ids: Set<String> = []
                for number in 1...20 { ids.insert(try await service.happen(OrderID(rawValue: "order-\(number)"))) }
                try await service.sending { await receiver.first(1) }
                try await service.sending { _ = try await service.settled(of: endpoint.id, 20) }
                #expect(Set(receiver.all().map(\.id)) == ids)
            }
        }
    }
}
