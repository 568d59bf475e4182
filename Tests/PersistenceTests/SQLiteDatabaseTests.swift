import Foundation
import Persistence
import TestSupport
import Testing

@Suite("SQLite", .timeLimit(.minutes(1))) struct SQLiteDatabaseTests {
    static let notes = Migration("notes-001", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")

    struct Refused: Error, Equatable {}

    @Test("The writer is in WAL mode, waits for the disk at each commit and checks foreign keys") func pragmas()
        async throws
    {
        try await withTemporaryDatabase([]) { database in
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

    @Test("What a write returned for is there after the database was opened again") func reopening() async throws {
        try await withTemporaryFolder { folder in
            let url = "sqlite:\(folder.appending(path: "deep/down/shop.sqlite").path)"
            let first = try await Databases.open(url: url, migrations: [Self.notes])
            try await first.execute("INSERT INTO notes (text) VALUES ('kept')")
            try await first.close()
            let second = try await Databases.open(url: url, migrations: [Self.notes])
            #expect(try await texts(in: second) == ["kept"])
            try await second.close()
        }
    }

    @Test("Of many writes at once each is kept whose body succeeded, and no other") func manyWrites() async throws {
        try await withTemporaryDatabase([Self.notes]) { database in
            let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        do {
                            try await database.write { transaction in
                                try transaction.execute("INSERT INTO notes (text) VALUES (\("\(number)"))")
                                if number.isMultiple(of: 7) { throw Refused() }
                            }
                            return false
                        } catch is Refused {
                            return true
                        }
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            let kept = Set(try await texts(in: database))
            #expect(failures == 43)
            #expect(kept == Set((0..<300).filter { !$0.isMultiple(of: 7) }.map(String.init)))
        }
    }

    @Test("Writes that wait share a commit, and nobody hears of it before it is done") func groupCommit() async throws {
        enum Step: Equatable, Sendable { case ran, committed }
        let steps = Probe<Step>()
        let called = Probe<Int>()
        let mayEnd = DispatchSemaphore(value: 0)
        try await withTemporaryDatabase([Self.notes]) { database in
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

    @Test("Actions run once the commit is on disk, and not after a rollback") func commitActions() async throws {
        let actions = Probe<String>()
        try await withTemporaryDatabase([Self.notes]) { database in
            try await database.write { transaction in
                transaction.onCommit { actions.record("after commit") }
                actions.record("in the transaction")
            }
            await #expect(throws: Refused()) {
                try await database.write { transaction in
                    transaction.onCommit { actions.record("after rollback") }
                    throw Refused()
                }
            }
        }
        #expect(actions.values == ["in the transaction", "after commit"])
    }

    @Test("Actions don't run when it is the commit itself that fails") func failedCommit() async throws {
        let actions = Probe<String>()
        let tables = Migration(
            "tables-001", "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
            "CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
        try await withTemporaryDatabase([tables]) { database in
            do {
                try await database.write { transaction in
                    transaction.onCommit { actions.record("after commit") }
                    try transaction.execute("INSERT INTO children (parent) VALUES (1)")
                }
                Issue.record("the commit should have failed")
            } catch DatabaseError.constraint {}
            try await database.execute("INSERT INTO parents (id) VALUES (1)")
        }
        #expect(actions.values == [])
    }

    @Test("A full disk is said to be one, keeps nothing of the transaction, and is no end") func diskFull() async throws
    {
        try await withTemporaryDatabase([Self.notes]) { database in
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
        try await withTemporaryDatabase([Self.notes]) { database in
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

    @Test("A transaction can't be used after it has ended") func transactionIsOver() async throws {
        final class Box: @unchecked Sendable { var transaction: (any Transaction)? }
        let box = Box()
        try await withTemporaryDatabase([Self.notes]) { database in
            try await database.write { box.transaction = $0 }
            let leaked = try #require(box.transaction)
            #expect(throws: DatabaseError.transactionIsOver) { try leaked.rows("SELECT * FROM notes") }
            #expect(throws: DatabaseError.transactionIsOver) { try leaked.execute("DELETE FROM notes") }
        }
    }

    @Test("Reading can't change anything") func readsOnly() async throws {
        try await withTemporaryDatabase([Self.notes]) { database in
            _ = await #expect(throws: DatabaseError.self) {
                try await database.read { _ = try $0.execute("INSERT INTO notes (text) VALUES ('sneaky')") }
            }
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
