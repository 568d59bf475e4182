import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing

@Suite("Sending what is in the outbox", .timeLimit(.minutes(1))) struct RelayTests {
    private let outbox = Outbox(service: "order")
    private let context = MessageContext(
        correlationID: "correlation-1", causationID: "cause-1",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b")

    @Test("A commit wakes the relay; what the broker has is removed") func wakesOnCommit() async throws {
        let broker = FakeTransport(expecting: [.send])
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await withRunning(relay(of: database, to: broker)) { _ in
                for number in 1...3 {
                    try await write(
                        [.event(StockReserved(orderId: "o"), on: .inventoryEvents, about: "\(number)")], to: database)
                    await broker.events.first(number) { $0.isSent }
                }
            }
            #expect(try await depth(of: database) == 0)
        }
        #expect(broker.accepted.count == 3)
    }

    @Test("A message says what it is, who sent it and what led to it") func attributes() async throws {
        let broker = FakeTransport(expecting: [.send])
        let placed = OrderPlaced.sample()
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await write([.event(placed, on: .orderEvents, about: "order-1")], to: database)
            try await withRunning(relay(of: database, to: broker)) { _ in
                await broker.events.first { $0.isSent }
            }
        }
        guard case .sent(let messages, .topic(.orderEvents))? = broker.events.values.last else {
            Issue.record("expected the topic to be sent to")
            return
        }
        let message = try #require(messages.first)
        #expect(message.attributes == ["type": "shop.order.placed.v1"])
        #expect(message.delay == .zero)
        let event: CloudEvent<OrderPlaced> = try ContractJSON.decode(from: message.body)
        #expect(event.data == placed)
        #expect(event.attributes.source == "/services/order")
        #expect(event.attributes.subject == "order-1")
        #expect(event.attributes.partitionkey == "order-1")
        #expect(event.attributes.messageContext.correlationID == context.correlationID)
        #expect(event.attributes.causationid == "cause-1")
        #expect(event.attributes.traceparent == context.traceparent)
        #expect(event.attributes.tracestate == "a=b")
    }

    @Test("A delay counts from the transaction, not from the sending") func delay() async throws {
        let broker = FakeTransport(expecting: [.send])
        try await withTemporaryDatabase(Outbox.migrations) { database in
            let message = OutgoingMessage.command(
                CancelUnpaidOrder(orderId: "o"), to: .order, about: "o", after: .seconds(600))
            let aMinuteAgo = Date(timeIntervalSinceNow: -60)
            let longAgo = Date(timeIntervalSinceNow: -3600)
            try await database.write { [outbox, context] transaction in
                try outbox.append([message], context: context, in: transaction, now: aMinuteAgo)
                try outbox.append([message], context: context, in: transaction, now: longAgo)
            }
            try await withRunning(relay(of: database, to: broker)) { _ in
                await broker.events.first(2) { $0.isSent }
            }
        }
        let delays = broker.accepted.map(\.delay)
        #expect(delays.count == 2)
        #expect((Duration.seconds(1) ... .seconds(540)).contains(delays[0]))
        #expect(delays[1] == .zero)
    }

    @Test("When a message is refused, those behind it with its key wait for it and the others don't") func refusal()
        async throws
    {
        let broker = FakeTransport(expecting: [.send])
        let clock = ManualClock()
        broker.refuse(times: 2) { $0.body.contains("\"a-1\"") }
        try await withTemporaryDatabase(Outbox.migrations) { database in
            let orders: [(key: String, id: OrderID)] = [
                ("a", "a-1"), ("a", "a-2"), ("b", "b-1"), ("a", "a-3"), ("b", "b-2"),
            ]
            try await write(
                orders.map { .event(StockReserved(orderId: $0.id), on: .inventoryEvents, about: $0.key) }, to: database)
            try await withRunning(relay(of: database, to: broker, clock: clock)) { _ in
                for pause in 1...2 {
                    await clock.sleeps.first(pause)
                    clock.advance(by: .seconds(2))
                }
                await broker.events.first { event in
                    if case .sent(let messages, _) = event {
                        messages.contains { $0.body.contains("\"a-3\"") }
                    } else {
                        false
                    }
                }
            }
            #expect(try await depth(of: database) == 0)
        }
        let sent = try broker.accepted.map { message in
            let event: CloudEvent<StockReserved> = try ContractJSON.decode(from: message.body)
            return event.data.orderId.rawValue
        }
        #expect(sent.filter { $0.hasPrefix("a") } == ["a-1", "a-2", "a-3"])
        #expect(sent.filter { $0.hasPrefix("b") } == ["b-1", "b-2"])
        #expect(sent.first == "b-1")
    }

    @Test("What was sent but not removed is sent again as the same message") func crashInBetween() async throws {
        let broker = FakeTransport(expecting: [.send])
        broker.loseAnswer(of: .send)
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await write([.event(StockReserved(orderId: "o"), on: .inventoryEvents, about: "o")], to: database)
            try await withRunning(relay(of: database, to: broker)) { _ in
                await broker.events.first(2) { $0.isSent }
            }
            #expect(try await depth(of: database) == 0)
        }
        #expect(broker.accepted.count == 2)
        #expect(broker.accepted[0] == broker.accepted[1])
    }

    @Test("A broker that is away costs waiting and nothing else") func brokerAway() async throws {
        let broker = FakeTransport(expecting: [.send])
        broker.fail(.ensure, times: 2)
        broker.fail(.send, times: 2)
        try await withTemporaryDatabase(Outbox.migrations) { database in
            let keys = (1...25).map { "order-\($0)" }
            try await write(
                keys.map { .event(StockReserved(orderId: "o"), on: .inventoryEvents, about: $0) }, to: database)
            try await withRunning(relay(of: database, to: broker)) { _ in
                await broker.events.first(3) { $0.isSent }
            }
            #expect(try await depth(of: database) == 0)
        }
        #expect(Set(broker.accepted.map(\.body)).count == 25)
    }

    @Test("A message whose transaction is rolled back is never sent") func rollback() async throws {
        struct Refused: Error {}
        let broker = FakeTransport(expecting: [.send])
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await withRunning(relay(of: database, to: broker)) { _ in
                await #expect(throws: Refused.self) {
                    try await database.write { [outbox, context] transaction in
                        try outbox.append(
                            [.event(StockReserved(orderId: "never"), on: .inventoryEvents, about: "1")],
                            context: context, in: transaction)
                        throw Refused()
                    }
                }
                try await write(
                    [.event(StockReserved(orderId: "sent"), on: .inventoryEvents, about: "2")], to: database)
                await broker.events.first { $0.isSent }
            }
        }
        #expect(broker.accepted.count == 1)
        #expect(broker.accepted[0].body.contains("sent"))
    }

    private func relay(of database: any Database, to broker: FakeTransport) -> Relay<ContinuousClock> {
        relay(of: database, to: broker, clock: ContinuousClock())
    }

    private func relay<WaitClock: Clock<Duration>>(
        of database: any Database, to broker: FakeTransport, clock: WaitClock
    ) -> Relay<WaitClock> {
        Relay(
            database: database, outbox: outbox, link: BrokerLink(transport: broker, topology: .shop) { _, _ in },
            logger: .silent, clock: clock)
    }

    private func write(_ messages: [OutgoingMessage], to database: any Database) async throws {
        try await database.write { [outbox, context] in try outbox.append(messages, context: context, in: $0) }
    }

    private func depth(of database: any Database) async throws -> Int {
        try await database.read { try $0.rows("SELECT id FROM outbox").count }
    }
}
