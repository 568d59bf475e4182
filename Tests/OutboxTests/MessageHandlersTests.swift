import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing

@Suite("Message in, one transaction, messages out", .timeLimit(.minutes(1))) struct MessageHandlersTests {
    struct Hiccup: Error {}

    static let counters = Migration("counters-001", "CREATE TABLE reservations (order_id TEXT NOT NULL)")

    @Test("The inbox knows each message once for each consumer") func inbox() async throws {
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await database.write { transaction in
                let seen = try [("m-1", "order"), ("m-1", "order"), ("m-1", "email"), ("m-2", "order")].map {
                    try Inbox.insert($0.0, consumer: $0.1, in: transaction)
                }
                #expect(seen == [true, false, true, true])
            }
        }
    }

    @Test("A message that comes again has no second effect and is no error") func duplicate() async throws {
        try await withHandlers { handlers, database in
            let event = try incoming(.sample(StockReserved(orderId: "order-1"), id: "m-1"))
            for _ in 1...3 { try await handlers.handle(event) }
            #expect(try await counts(in: database) == [1, 1, 1])
        }
    }

    @Test("The same message at the same time has one effect") func simultaneousDuplicates() async throws {
        try await withHandlers { handlers, database in
            let event = try incoming(.sample(StockReserved(orderId: "order-1"), id: "m-1"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...20 { group.addTask { try await handlers.handle(event) } }
                try await group.waitForAll()
            }
            #expect(try await counts(in: database) == [1, 1, 1])
        }
    }

    @Test("A handler that throws leaves nothing behind, and the next delivery starts afresh") func rollback()
        async throws
    {
        try await withHandlers(failures: 1) { handlers, database in
            let event = try incoming(.sample(StockReserved(orderId: "order-1"), id: "m-1"))
            await #expect(throws: Hiccup.self) { try await handlers.handle(event) }
            #expect(try await counts(in: database) == [0, 0, 0])
            try await handlers.handle(event)
            #expect(try await counts(in: database) == [1, 1, 1])
        }
    }

    @Test("What comes of a message carries its correlation id and names it as its cause") func causation() async throws
    {
        try await withHandlers { handlers, database in
            let event = CloudEvent.sample(
                StockReserved(orderId: "order-1"), id: "m-1", correlationID: "from-afar")
            try await handlers.handle(try incoming(event))
            let body: String = try await database.read { transaction in
                try #require(try transaction.row("SELECT body FROM outbox")).get("body")
            }
            let outgoing: CloudEvent<CancelUnpaidOrder> = try ContractJSON.decode(from: body)
            #expect(outgoing.attributes.correlationid == "from-afar")
            #expect(outgoing.attributes.causationid == "m-1")
            #expect(outgoing.id != "m-1")
        }
    }

    @Test("A type without a handler can't succeed, however often it comes") func unknownType() async throws {
        try await withHandlers { handlers, database in
            let event = CloudEvent.sample(StockRejected(orderId: "order-1", shortages: []))
            await #expect(throws: Unprocessable("The type 'shop.stock.rejected.v1' is unknown to order.")) {
                try await handlers.handle(
                    IncomingEvent(attributes: event.attributes, body: try event.json()))
            }
            let left = try await counts(in: database)
            #expect(left == [0, 0, 0])
        }
    }

    @Test("Data that isn't what the type says can't succeed either") func wrongData() async throws {
        try await withHandlers { handlers, database in
            let event = CloudEvent.sample(StockReserved(orderId: "order-1"))
            let body = try event.json().replacing("orderId", with: "orderNumber")
            let expected = Unprocessable("The message is no shop.stock.reserved.v1: 'data.orderId' is missing.")
            await #expect(throws: expected) {
                try await handlers.handle(IncomingEvent(attributes: event.attributes, body: body))
            }
            #expect(try await counts(in: database) == [0, 0, 0])
        }
    }

    @Test("A database that is away, full, or lost in a commit is waited for; all happens once") func databaseAway()
        async throws
    {
        let clock = ManualClock()
        let broken = BrokenDatabase.first(.unreachable("gone"), .diskFull, .outcomeUnknown("gone"))
        try await withHandlers(over: broken, clock: clock) { handlers, database in
            let event = try incoming(.sample(StockReserved(orderId: "order-1"), id: "m-1"))
            async let handled: Void = handlers.handle(event)
            for pause in 1...3 {
                await clock.sleeps.first(pause)
                clock.advance(by: .seconds(5))
            }
            try await handled
            #expect(try await counts(in: database) == [1, 1, 1])
        }
    }

    @Test(
        "A process that ends while the database is away leaves its message to the next one, even at its last delivery")
    func endWhileDatabaseIsAway() async throws {
        let clock = ManualClock()
        try await withHandlers(over: BrokenDatabase.always(.unreachable("gone")), clock: clock) { handlers, _ in
            let broker = FakeTransport(expecting: [.receive, .changeVisibility])
            let event = CloudEvent.sample(StockReserved(orderId: "order-1"))
            let message = broker.deliver(try event.json(), receiveCount: 5)
            let consumer = QueueConsumer(
                link: BrokerLink(transport: broker, topology: .shop) { _, _ in }, queue: .order,
                settings: .patient(), logger: .silent, handle: handlers.handle)
            try await withRunning(consumer) { _ in await clock.sleeps.first(1) }
            #expect(broker.events.values.last == .visibilityChanged(message, .zero))
        }
    }

    private func incoming(_ event: CloudEvent<StockReserved>) throws -> IncomingEvent {
        IncomingEvent(attributes: event.attributes, body: try event.json())
    }

    /// Runs `body` with a handler that notes a reservation and sends a message, and fails the first few times.
    /// - Parameter broken: what is between the handlers and the database.
    private func withHandlers(
        failures: Int = 0, over broken: (any Database) -> any Database = { $0 },
        clock: any Clock<Duration> = ContinuousClock(), _ body: (MessageHandlers, any Database) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(Outbox.migrations + [Self.counters]) { database in
            let attempts = Probe<Void>()
            var handlers = MessageHandlers(
                consumer: "order", database: broken(database), outbox: Outbox(service: "order"), logger: .silent,
                clock: clock)
            handlers.on(StockReserved.self) { event, transaction in
                try transaction.execute("INSERT INTO reservations (order_id) VALUES (\(event.data.orderId))")
                attempts.record(())
                if attempts.values.count <= failures { throw Hiccup() }
                return [.command(CancelUnpaidOrder(orderId: event.data.orderId), to: .order, about: "order-1")]
            }
            try await body(handlers, database)
        }
    }

    /// How many effects, messages to send and messages seen there are.
    private func counts(in database: any Database) async throws -> [Int] {
        try await database.read { transaction in
            try ["reservations", "outbox", "inbox"].map { try transaction.rows("SELECT * FROM \(raw: $0)").count }
        }
    }
}

/// A database of which some writes fail.
private struct BrokenDatabase: Database {
    let database: any Database
    /// What the next write, by its number, throws.
    let failure: @Sendable (Int) -> DatabaseError?
    private let writes = Probe<Void>()

    static func first(_ errors: DatabaseError...) -> (any Database) -> any Database {
        { BrokenDatabase(database: $0) { $0 <= errors.count ? errors[$0 - 1] : nil } }
    }

    static func always(_ error: DatabaseError) -> (any Database) -> any Database {
        { BrokenDatabase(database: $0) { _ in error } }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await database.read(body) }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        writes.record(())
        switch failure(writes.values.count) {
        case nil: return try await database.write(body)
        case .outcomeUnknown(let reason):
            // The commit was kept, and nobody was told.
            _ = try await database.write(body)
            throw DatabaseError.outcomeUnknown(reason)
        case let error?: throw error
        }
    }

    func close() async throws { try await database.close() }
}
