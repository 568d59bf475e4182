import Foundation
import Persistence
import TestSupport
import Testing

/// What is different with a server, on which others work too. Run them with `deploy/with-postgres`.
@Suite("PostgreSQL", .enabled(if: TestEngine.current == .postgreSQL), .timeLimit(.minutes(1)))
struct PostgreSQLDatabaseTests {
    private static let counter = Migration(
        "counter-001", "CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
        "INSERT INTO counter (id, value) VALUES (1, 0)")

    @Test("Two processes that change what they have read lose nothing of each other's") func noLostUpdates()
        async throws
    {
        try await withTwoDatabases([Self.counter]) { databases async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        try await databases[number % 2].write { transaction in
                            let value: Int = try #require(try transaction.row("SELECT value FROM counter")).get("value")
                            try transaction.execute("UPDATE counter SET value = \(value + 1) WHERE id = 1")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let value: Int = try await databases[0].read {
                try #require(try $0.row("SELECT value FROM counter")).get("value")
            }
            #expect(value == 100)
        }
    }

    @Test("What one of two decides on isn't changed by the other meanwhile") func noWriteSkew() async throws {
        try await withTwoDatabases([DatabaseTests.notes]) { databases async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        // Each writes a row of its own, so that no lock brings them together: only who looks at the other.
                        try await databases[number % 2].write { transaction in
                            guard try transaction.rows("SELECT id FROM notes").isEmpty else { return }
                            try transaction.execute("INSERT INTO notes (text) VALUES (\("on duty: \(number)"))")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await databases[0].read { try $0.rows("SELECT id FROM notes").count } == 1)
        }
    }

    @Test("Of many processes that start at once, one applies the migrations") func migrationsAtOnce() async throws {
        try await withTemporaryDatabaseURL { url in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...6 {
                    group.addTask { try await Databases.open(url: url, migrations: [Self.counter]).close() }
                }
                try await group.waitForAll()
            }
            let database = try await Databases.open(url: url, migrations: [Self.counter])
            #expect(try await database.read { try $0.rows("SELECT id FROM counter").count } == 1)
            try await database.close()
        }
    }

    @Test("A connection that breaks in the middle of a transaction costs a second run of it") func lostConnection()
        async throws
    {
        let runs = Probe<Void>()
        try await withTemporaryDatabase([DatabaseTests.notes]) { database async throws in
            try await database.write { transaction in
                try transaction.execute("INSERT INTO notes (text) VALUES ('once')")
                runs.record(())
                if runs.values.count == 1 { _ = try transaction.rows("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            #expect(runs.values.count == 2)
            #expect(try await texts(in: database) == ["once"])
        }
    }

    @Test("A connection that breaks during the commit is no reason to run it again") func lostCommit() async throws {
        // At its commit, and not before, the transaction ends its own connection.
        let fatal = Migration(
            "fatal-001", "CREATE TABLE fatal (id INTEGER PRIMARY KEY)",
            """
            CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'
            """,
            """
            CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON fatal DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION hang_up()
            """)
        let runs = Probe<Void>()
        let actions = Probe<Void>()
        try await withTemporaryDatabase([fatal]) { database async throws in
            do {
                try await database.write { transaction in
                    runs.record(())
                    transaction.onCommit { actions.record(()) }
                    try transaction.execute("INSERT INTO fatal (id) VALUES (1)")
                }
                Issue.record("the commit should have failed")
            } catch DatabaseError.outcomeUnknown {}
            #expect(try await database.read { try $0.rows("SELECT id FROM fatal").isEmpty })
        }
        #expect(runs.values.count == 1)
        #expect(actions.values.isEmpty)
    }

    @Test("A body that makes light of a refused statement commits nothing") func swallowedError() async throws {
        try await withTemporaryDatabase([DatabaseTests.notes]) { database async throws in
            do {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ('once')")
                    _ = try? transaction.execute("INSERT INTO notes (text) VALUES ('once')")
                }
                Issue.record("the transaction should have failed")
            } catch DatabaseError.constraint {}
            #expect(try await texts(in: database) == [])
        }
    }

    @Test("A text that can't be kept whole is refused, not cut off") func nul() async throws {
        try await withTemporaryDatabase([DatabaseTests.notes]) { database async throws in
            await #expect(throws: DatabaseError.self) {
                try await database.execute("INSERT INTO notes (text) VALUES (\("cut\0off"))")
            }
            #expect(try await texts(in: database) == [])
        }
    }

    @Test("A wait for a connection ends, however many wait") func fullPool() async throws {
        try await withTemporaryDatabase([DatabaseTests.notes]) { database async throws in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 1...100 {
                    group.addTask {
                        try await database.read { transaction in
                            try #require(try transaction.row("SELECT \(number) AS number FROM pg_sleep(0.005)")).get(
                                "number")
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 5050)
        }
    }

    @Test("Who waits for a turn passes its signal on to who has it, also after a lost connection") func passedOnSignal()
        async throws
    {
        try await withTwoDatabases([]) { databases async throws in
            let signals = [Signal(), Signal()]
            let turns = try zip(databases, signals).map { try #require($0.turn(at: "work", signal: $1)) }
            #expect(try await turns[0].take())
            signals[1].raise()
            #expect(try await !turns[1].take())
            #expect(await signals[0].wait(until: nil, clock: ContinuousClock()))
            // The server ends the connection of who has the turn, who hears of that, too.
            try await databases[1].read { transaction in
                let ended = try transaction.rows(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
                        AND (classid::bigint << 32 | objid::bigint) = hashtextextended(current_schema() || '/work', 0)
                    """)
                #expect(ended.count == 1)
            }
            #expect(await signals[0].wait(until: nil, clock: ContinuousClock()))
            while try await !turns[0].take() {}
            signals[1].raise()
            #expect(try await !turns[1].take())
            #expect(await signals[0].wait(until: nil, clock: ContinuousClock()))
            for turn in turns { await turn.end() }
        }
    }

    @Test("The server is told to notice when a process is gone without a word") func lostMachine() async throws {
        #if os(Linux)
            let userTimeout = "20000"
        #else
            // A server there has no such setting.
            let userTimeout = "0"
        #endif
        let expected = [
            "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2",
            "tcp_user_timeout": userTimeout,
        ]
        try await withTemporaryDatabase([]) { database async throws in
            let rows = try await database.read { transaction in
                try transaction.rows(
                    """
                    SELECT name, setting, inet_server_addr() IS NOT NULL AS is_tcp FROM pg_settings
                    WHERE name IN (\(list: Array(expected.keys)))
                    """)
            }
            #expect(rows.count == expected.count)
            for row in rows {
                let name: String = try row.get("name")
                let setting: String = try row.get("setting")
                // On a Unix socket the server shows none of them.
                let isTCP: Bool = try row.get("is_tcp")
                #expect(setting == (isTCP ? expected[name] : "0"), "\(name)")
            }
        }
    }

    /// Two pools on one database, as two processes have.
    private func withTwoDatabases(
        _ migrations: [Migration], _ body: ([any Database]) async throws -> Void
    ) async throws {
        try await withTemporaryDatabaseURL { url in
            let databases = [
                try await Databases.open(url: url, migrations: migrations),
                try await Databases.open(url: url, migrations: migrations),
            ]
            try await body(databases)
            for database in databases { try await database.close() }
        }
    }

    private func texts(in database: any Database) async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows("SELECT text FROM notes ORDER BY id").map { try $0.get("text") }
        }
    }
}
