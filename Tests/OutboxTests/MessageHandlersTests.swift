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

    private func incoming(_ event: CloudEvent<StockReserved>) throws -> IncomingEvent {
        IncomingEvent(attributes: event.attributes, body: try event.json())
    }

    /// Runs `body` with a handler that notes a reservation and sends a message, and fails the first few times.
    private func withHandlers(
        failures: Int = 0, _ body: (MessageHandlers, any Database) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(Outbox.migrations + [Self.counters]) { database in
            let attempts = Probe<Void>()
            var handlers = MessageHandlers(
                consumer: "order", database: database, outbox: Outbox(service: "order"), logger: .silent)
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
