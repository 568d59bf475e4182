import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing

@Suite("Effects outside the database", .timeLimit(.minutes(1))) struct EffectSenderTests {
    struct Letter: Effect, Equatable {
        static let kind = "letter"
        var text: String
    }

    struct Hiccup: Error {}

    /// What the other side sees.
    struct Attempt: Equatable, Sendable {
        let letter: Letter
        let key: String
    }

    static let letters = Migration("letters-001", "CREATE TABLE letters (text TEXT NOT NULL, outcome TEXT NOT NULL)")

    private let context = MessageContext(correlationID: "correlation-1")
    private let effects = Effects()
    private let outbox = Outbox(service: "email")
    private let attempts = Probe<Attempt>()
    private let recorded = Probe<String>()

    @Test("An effect is performed after its commit and never without one") func afterCommit() async throws {
        try await withSender { database in
            await #expect(throws: Hiccup.self) {
                try await database.write { [effects, context] transaction in
                    try effects.add(Letter(text: "never"), key: "1", context: context, in: transaction)
                    throw Hiccup()
                }
            }
            try await add("hello", key: "2", to: database)
            #expect(await attempts.first { _ in true } == Attempt(letter: Letter(text: "hello"), key: "2"))
            await recorded.first(1)
        }
        #expect(attempts.values.count == 1)
    }

    @Test("What fails is tried again with the same key, and its outcome recorded once") func retries() async throws {
        try await withSender(failures: 3) { database in
            try await add("hello", key: "event-7:ada", to: database)
            await recorded.first(1)
            #expect(try await letters(in: database) == ["hello"])
        }
        #expect(
            attempts.values == Array(repeating: Attempt(letter: Letter(text: "hello"), key: "event-7:ada"), count: 4))
    }

    @Test("The same effect is written once") func duplicates() async throws {
        try await withSender { database in
            try await database.write { [effects, context] transaction in
                for _ in 1...3 { try effects.add(Letter(text: "hello"), key: "1", context: context, in: transaction) }
            }
            try await add("other", key: "2", to: database)
            await recorded.first(2)
        }
        #expect(Set(attempts.values.map(\.key)) == ["1", "2"])
        #expect(attempts.values.count == 2)
    }

    @Test("An effect that is due later is waited for and holds up no other") func dueLater() async throws {
        let clock = ManualClock()
        try await withSender(clock: clock) { database in
            let inAnHour = Date(timeIntervalSinceNow: 3600)
            try await add("later", key: "1", dueAt: inAnHour, to: database)
            // Where other processes write, too, it looks again before.
            let rest = database.turn(at: "effects", signal: Signal())?.lookInterval ?? .seconds(3600)
            let wait = try #require(await clock.sleeps.first { $0 > rest * 0.97 })
            #expect(wait <= rest + .seconds(1))
            try await add("now", key: "2", to: database)
            await recorded.first { $0 == "now" }
        }
        #expect(attempts.values.map(\.letter.text) == ["now"])
    }

    @Test("An effect is performed once its time has come") func comesDue() async throws {
        let due = Date(timeIntervalSinceNow: 0.05)
        try await withSender { database in
            try await add("soon", key: "1", dueAt: due, to: database)
            await recorded.first(1)
        }
        #expect(Date() >= due)
    }

    @Test("Outcome, messages and the removal of the row are one transaction") func oneTransaction() async throws {
        try await withSender(failuresOfRecord: 2) { database in
            try await add("hello", key: "1", to: database)
            await recorded.first(1)
            #expect(try await letters(in: database) == ["hello"])
        }
        // Performed again after each rollback: the key lets the other side recognise that.
        #expect(attempts.values.map(\.key) == ["1", "1", "1"])
    }

    @Test("Effects that were left by another process are picked up, and what was done isn't done again")
    func restart() async throws {
        try await withTemporaryDatabase(Outbox.migrations + [Self.letters]) { database in
            for number in 1...30 { try await add("\(number)", key: "\(number)", to: database) }
            try await withRunning(sender(of: database, failures: 0, failuresOfRecord: 0)) { _ in
                await recorded.first(30)
            }
            try await withRunning(sender(of: database, failures: 0, failuresOfRecord: 0)) { _ in
                try await add("31", key: "31", to: database)
                await recorded.first(31)
            }
            #expect(try await letters(in: database).count == 31)
            #expect(try await database.read { try $0.rows("SELECT * FROM effects").count } == 0)
            #expect(try await database.read { try $0.rows("SELECT * FROM outbox").count } == 31)
        }
        #expect(attempts.values.count == 31)
    }

    @Test("A kind that this version doesn't know waits for one that does and holds up no other") func unknownKind()
        async throws
    {
        struct Parcel: Effect { static let kind = "parcel" }
        try await withSender { database in
            try await database.write { [effects, context] transaction in
                try effects.add(Parcel(), key: "1", context: context, in: transaction)
            }
            try await add("hello", key: "2", to: database)
            await recorded.first(1)
            let kinds: [String] = try await database.read {
                try $0.rows("SELECT kind FROM effects").map { try $0.get("kind") }
            }
            #expect(kinds == ["parcel"])
        }
    }

    // MARK: -

    private func withSender(
        failures: Int = 0, failuresOfRecord: Int = 0, _ body: @Sendable (any Database) async throws -> Void
    ) async throws {
        try await withSender(
            failures: failures, failuresOfRecord: failuresOfRecord, clock: ContinuousClock(), body)
    }

    private func withSender(
        failures: Int = 0, failuresOfRecord: Int = 0, clock: some Clock<Duration>,
        _ body: @Sendable (any Database) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(Outbox.migrations + [Self.letters]) { database in
            let sender = sender(of: database, failures: failures, failuresOfRecord: failuresOfRecord, clock: clock)
            try await withRunning(sender) { _ in try await body(database) }
        }
    }

    private func sender(
        of database: any Database, failures: Int, failuresOfRecord: Int
    ) -> EffectSender<ContinuousClock> {
        sender(of: database, failures: failures, failuresOfRecord: failuresOfRecord, clock: ContinuousClock())
    }

    /// A sender whose first attempts fail at the other side, or after that in the database.
    private func sender<WaitClock: Clock<Duration>>(
        of database: any Database, failures: Int, failuresOfRecord: Int, clock: WaitClock
    ) -> EffectSender<WaitClock> {
        var sender = EffectSender(
            database: database, effects: effects, outbox: outbox, logger: .silent,
            retry: RetryPolicy(base: .milliseconds(1), longest: .milliseconds(1)), clock: clock)
        let records = Probe<Void>()
        sender.on(Letter.self) { [attempts] letter, key in
            attempts.record(Attempt(letter: letter, key: key))
            if attempts.values.count <= failures { throw Hiccup() }
            return "delivered"
        } record: { [recorded] letter, outcome, context, transaction in
            try transaction.execute("INSERT INTO letters (text, outcome) VALUES (\(letter.text), \(outcome))")
            records.record(())
            if records.values.count <= failuresOfRecord { throw Hiccup() }
            transaction.onCommit { recorded.record(letter.text) }
            return [.event(StockReserved(orderId: "o"), on: .inventoryEvents, about: context.correlationID)]
        }
        return sender
    }

    private func add(_ text: String, key: String, dueAt: Date = Date(), to database: any Database) async throws {
        try await database.write { [effects, context] transaction in
            try effects.add(Letter(text: text), key: key, dueAt: dueAt, context: context, in: transaction)
        }
    }

    private func letters(in database: any Database) async throws -> [String] {
        try await database.read { try $0.rows("SELECT text FROM letters").map { try $0.get("text") } }
    }
}
