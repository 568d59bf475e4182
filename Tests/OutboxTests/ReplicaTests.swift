import Contracts
import Foundation
import Messaging
import Metrics
import Outbox
import Persistence
import TestSupport
import Testing

/// Several processes of one service, each with a relay, a sender and a pool of its own.
@Suite("Replicas", .timeLimit(.minutes(1))) struct ReplicaTests {
    struct Letter: Effect {
        static let kind = "letter"
        var text: String
    }

    private static let context = MessageContext(correlationID: "correlation-1")

    @Test("Two relays at work at once, as none should be, keep the order of each key all the same")
    func twoRelaysAtOnce() async throws {
        let broker = FakeTransport(expecting: [.send])
        let outboxes = [Outbox(service: "order"), Outbox(service: "order")]
        try await withTemporaryDatabase(Outbox.migrations) { database in
            let shared = TurnForAll(database: database)
            try await write(keys: 5, each: 20, outboxes[0], to: [database])
            try await withRunning(relay(outboxes[0], shared, broker)) { _ in
                try await withRunning(relay(outboxes[1], shared, broker)) { _ in
                    await broker.events.first { _ in
                        Set(broker.accepted.map(\.body)).count == 100
                    }
                }
            }
        }
        try expectOrder(of: broker.accepted, keys: 5, each: 20)
    }

    @Test(
        "With several replicas each message is sent once, in the order of its key, whoever has written it",
        .enabled(if: TestEngine.current == .postgreSQL))
    func relaysInTurn() async throws {
        let broker = FakeTransport(expecting: [.send])
        let outboxes = (1...3).map { _ in Outbox(service: "order") }
        try await withReplicas(3, Outbox.migrations) { databases in
            let relays = zip(outboxes, databases).map { relay($0, $1, broker) }
            try await withRunning(relays[0]) { _ in
                try await withRunning(relays[1]) { _ in
                    try await withRunning(relays[2]) { _ in
                        try await write(keys: 5, each: 20, outboxes[2], to: databases)
                        await broker.events.first { _ in broker.accepted.count >= 100 }
                    }
                    // The others go on, whichever of them it was that worked.
                    try await write(keys: 5, each: 20, first: 21, outboxes[1], to: [databases[1]])
                    await broker.events.first { _ in broker.accepted.count >= 200 }
                }
                try await write(keys: 5, each: 20, first: 41, outboxes[0], to: [databases[0]])
                await broker.events.first { _ in broker.accepted.count >= 300 }
            }
        }
        #expect(broker.accepted.count == 300)
        try expectOrder(of: broker.accepted, keys: 5, each: 60)
    }

    @Test(
        "What one process commits wakes the relay of another, whose turn it is, at once",
        .enabled(if: TestEngine.current == .postgreSQL))
    func wakesTheOther() async throws {
        let broker = FakeTransport(expecting: [.send])
        let outboxes = [Outbox(service: "order"), Outbox(service: "order")]
        // Time stands still for the one that works, so that it looks for nothing by itself.
        let clock = ManualClock()
        try await withReplicas(2, Outbox.migrations) { databases in
            try await withRunning(relay(outboxes[0], databases[0], broker, clock: clock)) { _ in
                await clock.sleeps.first(1)
                try await withRunning(relay(outboxes[1], databases[1], broker)) { _ in
                    for number in 1...20 {
                        try await write(keys: 1, each: 1, first: number, outboxes[1], to: [databases[1]])
                        await broker.events.first { _ in broker.accepted.count == number }
                    }
                }
            }
        }
        try expectOrder(of: broker.accepted, keys: 1, each: 20)
    }

    @Test(
        "Each process says how much waits, not only the one whose turn it is",
        .enabled(if: TestEngine.current == .postgreSQL))
    func depth() async throws {
        let broker = FakeTransport(expecting: [.send])
        broker.fail(.send, times: .max)
        let outboxes = [Outbox(service: "order"), Outbox(service: "order")]
        let depths = [OutboxDepths(), OutboxDepths()]
        try await withReplicas(2, Outbox.migrations) { databases in
            try await write(keys: 3, each: 1, outboxes[0], to: databases)
            try await withMetricsFactory(depths[0]) {
                try await withRunning(relay(outboxes[0], databases[0], broker)) { _ in
                    try await withMetricsFactory(depths[1]) {
                        try await withRunning(relay(outboxes[1], databases[1], broker)) { _ in
                            for one in depths { await one.seen.first { $0 == 3 } }
                            try await databases[0].execute("DELETE FROM outbox")
                            for one in depths { await one.seen.first { $0 == 0 } }
                        }
                    }
                }
            }
        }
    }

    @Test("With several replicas each effect is performed once", .enabled(if: TestEngine.current == .postgreSQL))
    func senders() async throws {
        let performed = Probe<String>()
        let effects = [Effects(), Effects()]
        try await withReplicas(2, Outbox.migrations) { databases in
            let senders = zip(effects, databases).map { effects, database in
                var sender = EffectSender(database: database, effects: effects, outbox: nil, logger: .silent)
                sender.on(Letter.self) { letter, _ in
                    performed.record(letter.text)
                } record: { _, _, _, _ in
                    []
                }
                return sender
            }
            try await withRunning(senders[0]) { _ in
                try await withRunning(senders[1]) { _ in
                    for number in 1...50 {
                        let replica = number % 2
                        try await databases[replica].write { transaction in
                            try effects[replica].add(
                                Letter(text: "\(number)"), key: "\(number)", context: Self.context, in: transaction)
                        }
                    }
                    await performed.first(50)
                }
            }
            #expect(try await databases[0].read { try $0.rows("SELECT kind FROM effects").isEmpty })
        }
        #expect(performed.values.count == 50)
        #expect(Set(performed.values).count == 50)
    }

    @Test("What came of an effect is recorded once, even if two senders were at it at once, as none should be")
    func twoSendersAtOnce() async throws {
        let started = Probe<Void>()
        let mayEnd = Gate()
        let recorded = Probe<String>()
        let outbox = Outbox(service: "email")
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await database.write { transaction in
                try Effects().add(Letter(text: "hello"), key: "1", context: Self.context, in: transaction)
            }
            let senders = (1...2).map { _ in
                var sender = EffectSender(
                    database: TurnForAll(database: database), effects: Effects(), outbox: outbox, logger: .silent)
                sender.on(Letter.self) { _, _ in
                    started.record(())
                    await mayEnd.pass()
                } record: { letter, _, _, transaction in
                    transaction.onCommit { recorded.record(letter.text) }
                    return [.event(StockReserved(orderId: "o"), on: .inventoryEvents, about: "o")]
                }
                return sender
            }
            try await withRunning(senders[0]) { _ in
                try await withRunning(senders[1]) { _ in
                    await started.first(2)
                    mayEnd.open()
                }
            }
            #expect(try await database.read { try $0.rows("SELECT id FROM outbox").count } == 1)
            #expect(try await database.read { try $0.rows("SELECT kind FROM effects").isEmpty })
        }
        #expect(recorded.values == ["hello"])
    }

    @Test("A message that two replicas get at once has one effect", .enabled(if: TestEngine.current == .postgreSQL))
    func inbox() async throws {
        try await withReplicas(2, Outbox.migrations + [MessageHandlersTests.counters]) { databases in
            let replicas = databases.map { database in
                var handlers = MessageHandlers(
                    consumer: "order", database: database, outbox: Outbox(service: "order"), logger: .silent)
                handlers.on(StockReserved.self) { event, transaction in
                    try transaction.execute("INSERT INTO reservations (order_id) VALUES (\(event.data.orderId))")
                    return [.command(CancelUnpaidOrder(orderId: event.data.orderId), to: .order, about: "order-1")]
                }
                return handlers
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...20 {
                    let event = CloudEvent.sample(
                        StockReserved(orderId: OrderID(rawValue: "order-\(number)")), id: "m-\(number)")
                    let incoming = IncomingEvent(attributes: event.attributes, body: try event.json())
                    for handlers in replicas { group.addTask { try await handlers.handle(incoming) } }
                }
                try await group.waitForAll()
            }
            let counts = try await databases[0].read { transaction in
                try ["reservations", "outbox", "inbox"].map { try transaction.rows("SELECT * FROM \(raw: $0)").count }
            }
            #expect(counts == [20, 20, 20])
        }
    }

    // MARK: -

    private func relay<WaitClock: Clock<Duration>>(
        _ outbox: Outbox, _ database: any Database, _ broker: FakeTransport, clock: WaitClock = ContinuousClock()
    ) -> Relay<WaitClock> {
        Relay(
            database: database, outbox: outbox, link: BrokerLink(transport: broker, topology: .shop) { _, _ in },
            logger: .silent, clock: clock)
    }

    /// Writes numbered messages for each key, by one replica after the other.
    private func write(
        keys: Int, each count: Int, first: Int = 1, _ outbox: Outbox, to databases: [any Database]
    ) async throws {
        for number in first..<(first + count) {
            try await databases[number % databases.count].write { transaction in
                for key in 1...keys {
                    let message = OutgoingMessage.event(
                        StockReserved(orderId: OrderID(rawValue: "\(number)")), on: .inventoryEvents, about: "\(key)")
                    try outbox.append([message], context: Self.context, in: transaction)
                }
            }
        }
    }

    /// Of each key all numbers came, and each for the first time after the one before.
    private func expectOrder(of messages: [OutboundMessage], keys: Int, each count: Int) throws {
        var numbers: [String: [Int]] = [:]
        for message in messages {
            let event: CloudEvent<StockReserved> = try ContractJSON.decode(from: message.body)
            let number = try #require(Int(event.data.orderId.rawValue))
            let key = event.attributes.subject
            if numbers[key]?.contains(number) != true { numbers[key, default: []].append(number) }
        }
        #expect(numbers.count == keys)
        for (key, order) in numbers { #expect(order == Array(1...count), "key \(key)") }
    }

    /// As many pools on one database as there are replicas.
    private func withReplicas(
        _ count: Int, _ migrations: [Migration], _ body: ([any Database]) async throws -> Void
    ) async throws {
        try await withTemporaryDatabaseURL { url in
            var databases: [any Database] = []
            for _ in 1...count { databases.append(try await Databases.open(url: url, migrations: migrations)) }
            try await body(databases)
            for database in databases { try await database.close() }
        }
    }
}

/// What one process says of the depth of its outbox.
private final class OutboxDepths: MetricsFactory, RecorderHandler {
    let seen = Probe<Double>()

    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { seen.record(value) }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        label == "outbox.depth" ? self : NOOPMetricsHandler.instance
    }

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        NOOPMetricsHandler.instance
    }
    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}
}

/// A database whose processes all believe that it's their turn.
private struct TurnForAll: Database {
    struct Mine: Turn {
        func take() async throws -> Bool { true }
        func end() async {}
        var lookInterval: Duration { .milliseconds(10) }
    }

    let database: any Database

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await database.read(body) }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await database.write(body) }

    func close() async throws { try await database.close() }

    func turn(at work: String, signal: Signal) -> (any Turn)? { Mine() }
}
