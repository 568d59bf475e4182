import Foundation
import Metrics
import Persistence
import Telemetry
import TestSupport
import Testing

@Suite("SQLite", .timeLimit(.minutes(1))) struct SQLiteDatabaseTests {
    @Test("The writer is in WAL mode, waits for the disk at each commit and checks foreign keys") func pragmas()
        async throws
    {
        try await withSQLite([]) { database in
            try await database.write { transaction in
                // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
                let synchronous = try #require(try transaction.row("PRAGMA synchronous"))
                #expect(try synchronous.get("synchronous") == 2)
                let journalMode = try #require(try transaction.row("PRAGMA journal_mode"))
                #expect(try journalMode.get("journal_mode") == "wal")
                let foreignKeys = try #require(try transaction.row("PRAGMA foreign_keys"))
                #expect(try foreignKeys.get("foreign_keys") == 1)
            }
        }
    }

    @Test("A read is cut off when nobody waits for it any more, and its connection is good for the next one")
    func interruptedRead() async throws {
        let endless: SQL =
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) AS one FROM n"
        try await withSQLite([]) { database in
            // Wherever it is, before its first step or in the middle.
            for _ in 1...20 {
                await #expect(throws: CancellationError.self) { try await Self.readCutOff(endless, in: database) }
            }
            // These are cut off anywhere, or come to their end before.
            for _ in 1...20 { try? await Self.readCutOff("SELECT 1 AS one", in: database) }
            for _ in 1...4 {
                let row = try await database.read { try $0.row("SELECT 1 AS one") }
                #expect(try row?.get("one") == 1)
            }
        }
    }

    /// Cancels a read as soon as it has begun.
    private static func readCutOff(_ sql: SQL, in database: any Database) async throws {
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let read = Task {
            try await database.read { transaction in
                begin.finish()
                _ = try transaction.rows(sql)
            }
        }
        for await _ in begun {}
        read.cancel()
        try await read.value
    }

    @Test("Commits are measured: how many writes shared each, and how long each took") func metrics() async throws {
        let registry = PrometheusRegistry()
        func value(_ name: String) throws -> Int {
            let line = try #require(registry.text().split(separator: "\n").first { $0.hasPrefix(name + "{") })
            #expect(line.contains(#"{db_namespace="shop"}"#))
            return try #require(line.split(separator: " ").last.flatMap { Int($0) })
        }
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "shop.sqlite").path
            let database = try withMetricsFactory(registry) { try SQLiteDatabase(path: path) }
            for _ in 1...3 { try await database.write { _ in } }
            await #expect(throws: DatabaseTests.Refused.self) {
                try await database.write { _ in throw DatabaseTests.Refused() }
            }
            #expect(try value("sqlite_commit_writes_count") == 3)
            #expect(try value("sqlite_commit_writes_sum") == 3)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...50 { group.addTask { try await database.write { _ in } } }
                try await group.waitForAll()
            }
            #expect(try value("sqlite_commit_writes_sum") == 53)
            #expect(try value("sqlite_commit_writes_count") == value("sqlite_commit_duration_seconds_count"))
            try await database.close()
        }
    }

    @Test("Writes that wait share a commit, and nobody hears of it before it is done") func groupCommit() async throws {
        enum Step: Equatable, Sendable { case ran, committed }
        let steps = Probe<Step>()
        let called = Probe<Int>()
        let mayEnd = DispatchSemaphore(value: 0)
        try await withSQLite([DatabaseTests.notes]) { database in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await database.write { _ in _ = mayEnd.wait(timeout: .distantFuture) } }
                for number in 0..<50 {
                    group.addTask {
                        called.record(number)
                        try await database.write { transaction in
                            try transaction.execute("INSERT INTO notes (text) VALUES (\("\(number)"))")
                            steps.record(.ran)
                            transaction.onCommit { steps.record(.committed) }
                        }
                    }
                }
                await called.first(50)
                mayEnd.signal()
                try await group.waitForAll()
            }
        }
        #expect(steps.values.count == 100)
        // Fewer commits than writes: somewhere a body ran directly after another one's.
        #expect(zip(steps.values, steps.values.dropFirst()).contains { $0 == .ran && $1 == .ran })
    }

    @Test("A full disk is said to be one, keeps nothing of the transaction, and is no end") func diskFull() async throws
    {
        try await withSQLite([DatabaseTests.notes]) { database in
            try await setRoom(pages: 4, in: database)
            await #expect(throws: DatabaseError.diskFull) {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ('small')")
                    let large = String(repeating: "x", count: 1_000_000)
                    try transaction.execute("INSERT INTO notes (text) VALUES (\(large))")
                }
            }
            #expect(try await texts(in: database) == [])
            try await setRoom(pages: 1000, in: database)
            try await database.execute("INSERT INTO notes (text) VALUES ('afterwards')")
            #expect(try await texts(in: database) == ["afterwards"])
        }
    }

    @Test("A violated constraint is an error of its own and leaves the rest of the transaction") func constraint()
        async throws
    {
        try await withSQLite([DatabaseTests.notes]) { database in
            try await database.write { transaction in
                try transaction.execute("INSERT INTO notes (text) VALUES ('once')")
                do {
                    try transaction.execute("INSERT INTO notes (text) VALUES ('once')")
                    Issue.record("a second one should have been refused")
                } catch {}
            }
            do {
                try await database.execute("INSERT INTO notes (text) VALUES ('once')")
                Issue.record("a third one should have been refused")
            } catch DatabaseError.constraint(let message) {
                #expect(message.contains("notes.text"))
            }
            #expect(try await texts(in: database) == ["once"])
        }
    }

    private func withSQLite(
        _ migrations: [Migration], _ body: (any Database) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "deep/down/test.sqlite").path
            let database = try await Databases.open(url: "sqlite:\(path)", migrations: migrations)
            try await body(database)
            try await database.close()
        }
    }

    private func texts(in database: any Database) async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows("SELECT text FROM notes ORDER BY id").map { try $0.get("text") }
        }
    }

    /// How many pages the file may have: the way to a full disk without filling one.
    private func setRoom(pages: Int, in database: any Database) async throws {
        try await database.write { _ = try $0.rows("PRAGMA max_page_count = \(raw: "\(pages)")") }
    }
}
