import Contracts
import Foundation
import Messaging
import ServiceLifecycle
import TestSupport
import Testing

@Suite("Requests and replies", .timeLimit(.minutes(1))) struct RequestReplyTests {
    static let question = CalculateFee(
        paymentMethod: .ok, total: Money(amountMinorUnits: 1000, currency: "EUR"))
    static let answer = FeeCalculated(paymentMethod: .ok, amount: Money(amountMinorUnits: 15, currency: "EUR"))
    static let replies: Queue = "order-replies-1"

    // MARK: - Asking

    @Test("The question says where the answer goes and until when, and the answer finds who asked") func asks()
        async throws
    {
        try await withRequester { requester, broker in
            let expiry = Date(timeIntervalSinceNow: 60)
            async let answer = requester.ask(Self.question, of: .paymentRequests, about: "ada", until: expiry)
            let request = try await broker.firstSent(CalculateFee.self)
            #expect(request.data == Self.question)
            #expect(request.attributes.replyto == Self.replies.rawValue)
            #expect(request.attributes.expirytime.map(RFC3339.string) == RFC3339.string(from: expiry))
            // Neither of these is the answer: the first is to another question, the second to nobody's.
            broker.deliver(try CloudEvent.sample(Self.answer, causationID: "another").json())
            broker.deliver(try CloudEvent.sample(Self.answer).json())
            await broker.events.first { $0.isAcknowledged }
            broker.deliver(try CloudEvent.sample(Self.answer, causationID: request.id).json())
            let received = try await answer
            #expect(received == Self.answer)
        }
    }

    @Test("An answer whose time is over is dropped") func late() async throws {
        try await withRequester { requester, broker in
            async let answer = requester.ask(
                Self.question, of: .paymentRequests, about: "ada", until: Date(timeIntervalSinceNow: 60))
            let request = try await broker.firstSent(CalculateFee.self)
            var late = Self.answer
            late.amount.amountMinorUnits = 99
            let dropped = broker.deliver(
                try CloudEvent.sample(late, causationID: request.id, expirytime: Date(timeIntervalSinceNow: -1)).json())
            await broker.events.first { $0 == .acknowledged(dropped) }
            broker.deliver(try CloudEvent.sample(Self.answer, causationID: request.id).json())
            let received = try await answer
            #expect(received == Self.answer)
        }
    }

    @Test("A refusal, an answer of another kind and a broker that takes nothing each end the waiting") func failures()
        async throws
    {
        try await withRequester { requester, broker in
            let expiry = Date(timeIntervalSinceNow: 60)
            async let refused = outcome {
                try await requester.ask(Self.question, of: .paymentRequests, about: "ada", until: expiry)
            }
            let first = try await broker.firstSent(CalculateFee.self)
            broker.deliver(try CloudEvent.sample(RequestRefused(reason: "No."), causationID: first.id).json())
            let refusal = await refused
            #expect(throws: Requester.Failure.refused("No.")) { try refusal.get() }

            async let strange = outcome {
                try await requester.ask(
                    CalculateDiscount(customerId: "ada", total: Self.question.total), of: .loyaltyRequests,
                    about: "ada", until: expiry)
            }
            let second = try await broker.firstSent(CalculateDiscount.self)
            broker.deliver(try CloudEvent.sample(Self.answer, causationID: second.id).json())
            let stranger = await strange
            #expect(throws: Requester.Failure.self) { try stranger.get() }

            broker.fail(.send)
            await #expect(throws: Requester.Failure.self) {
                try await requester.ask(Self.question, of: .paymentRequests, about: "ada", until: expiry)
            }
        }
    }

    @Test("Who gives up is let go") func cancelled() async throws {
        try await withRequester { requester, broker in
            await #expect(throws: CancellationError.self) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        _ = try await requester.ask(
                            Self.question, of: .paymentRequests, about: "ada", until: Date(timeIntervalSinceNow: 60))
                    }
                    _ = try await broker.firstSent(CalculateFee.self)
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("The queue is removed at the end, and those of the dead before") func queues() async throws {
        let dead: Queue = "order-replies-0"
        let alive: Queue = "order-replies-2"
        try await withRequester { broker in
            try await broker.renew(dead, until: Date(timeIntervalSinceNow: -1))
            try await broker.renew(alive, until: Date(timeIntervalSinceNow: 60))
        } _: { _, broker in
            await broker.events.first { $0 == .removed(dead) }
        } after: { broker in
            let removed = broker.events.values.filter { if case .removed = $0 { true } else { false } }
            #expect(removed == [.removed(dead), .removed(Self.replies)])
        }
    }

    // MARK: - Answering

    @Test("The answer goes to the return address and names its question") func answers() async throws {
        try await withResponder { broker in
            let expiry = Date(timeIntervalSinceNow: 60)
            let request = CloudEvent.sample(
                Self.question, correlationID: "quote-1", expirytime: expiry, replyto: Self.replies.rawValue)
            let message = broker.deliver(try request.json())
            let reply = try await broker.firstSent(FeeCalculated.self, to: Self.replies)
            #expect(reply.data == Self.answer)
            #expect(reply.attributes.causationid == request.id)
            #expect(reply.attributes.correlationid == "quote-1")
            #expect(reply.attributes.expirytime.map(RFC3339.string) == RFC3339.string(from: expiry))
            await broker.events.first { $0 == .acknowledged(message) }
        }
    }

    @Test("What can't be answered is refused at once") func refuses() async throws {
        try await withResponder { broker in
            var unknown = Self.question
            unknown.paymentMethod = "pm_none"
            broker.deliver(try CloudEvent.sample(unknown, replyto: Self.replies.rawValue).json())
            #expect(try await broker.firstSent(RequestRefused.self).data.reason == "Unknown.")
        }
        try await withResponder { broker in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1"), replyto: Self.replies.rawValue).json())
            #expect(try await broker.firstSent(RequestRefused.self).data.reason.contains(StockReserved.type))
        }
    }

    @Test("A question too old, without a return address, or whose answer can't be sent is done with") func drops()
        async throws
    {
        try await withResponder { broker in
            let old = CloudEvent.sample(
                Self.question, expirytime: Date(timeIntervalSinceNow: -1), replyto: Self.replies.rawValue)
            let expired = broker.deliver(try old.json())
            await broker.events.first { $0 == .acknowledged(expired) }
            let nowhere = broker.deliver(try CloudEvent.sample(Self.question).json())
            await broker.events.first { $0 == .acknowledged(nowhere) }
            broker.fail(.send)
            let unsent = broker.deliver(try CloudEvent.sample(Self.question, replyto: "order-replies-gone").json())
            await broker.events.first { $0 == .acknowledged(unsent) }
            #expect(broker.accepted.isEmpty)
        }
    }
}

// MARK: - Fixture

/// An error as a value, for what is awaited later.
private func outcome<Value>(
    _ body: @Sendable () async throws -> Value
) async -> Result<Value, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
}

private func link(_ broker: FakeTransport) -> BrokerLink {
    BrokerLink(
        transport: broker, topology: Topology(replyQueue: RequestReplyTests.replies), report: { _, _ in })
}

private func withRequester(
    prepared prepare: (FakeTransport) async throws -> Void = { _ in },
    _ body: (Requester, FakeTransport) async throws -> Void,
    after: (FakeTransport) async throws -> Void = { _ in }
) async throws {
    let broker = FakeTransport(expecting: [.receive, .send, .acknowledge, .renew, .leases, .remove])
    try await prepare(broker)
    let requester = Requester(
        service: "order", queue: RequestReplyTests.replies, link: link(broker), settings: .patient(),
        logger: .silent)
    try await withRunning(requester) { _ in try await body(requester, broker) }
    try await after(broker)
}

private func withResponder(_ body: (FakeTransport) async throws -> Void) async throws {
    let broker = FakeTransport(expecting: [.receive, .send, .acknowledge])
    var responder = Responder(
        service: "payment", queue: .paymentRequests, link: link(broker), settings: .patient(), logger: .silent)
    responder.on(CalculateFee.self) { question in
        guard question.paymentMethod == .ok else { throw Responder.Refusal("Unknown.") }
        return RequestReplyTests.answer
    }
    try await withRunning(responder) { _ in try await body(broker) }
}

extension FakeTransport {
    /// The first message of a type that was sent.
    fileprivate func firstSent<Payload: MessagePayload>(
        _ type: Payload.Type, to queue: Queue? = nil
    ) async throws -> CloudEvent<Payload> {
        let event = await events.first { event in
            guard case .sent(let messages, let destination) = event else { return false }
            return messages.first?.attributes["type"] == Payload.type
                && (queue == nil || destination == .queue(queue ?? ""))
        }
        guard case .sent(let messages, _) = event, let message = messages.first else { throw CancellationError() }
        return try ContractJSON.decode(from: message.body)
    }
}
