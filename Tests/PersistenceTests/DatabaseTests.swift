import Foundation
import Persistence
import TestSupport
import Testing

/// What a database does, whichever engine it is.
@Suite("A database", .timeLimit(.minutes(1))) struct DatabaseTests {
    static let notes = Migration("notes-001", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")

    struct Refused: Error, Equatable {}

    @Test("What a write returned for is there after the database was opened again") func reopening() async throws {
        try await withTemporaryDatabaseURL { url in
            let first = try await Databases.open(url: url, migrations: [Self.notes])
            try await first.execute("INSERT INTO notes (text) VALUES ('kept')")
            try await first.close()
            let second = try await Databases.open(url: url, migrations: [Self.notes])
            #expect(try await texts(in: second) == ["kept"])
            try await second.close()
        }
    }

    @Test("Of many writes at once each is kept whose body succeeded, and no other") func manyWrites() async throws {
        try await withTemporaryDatabase([Self.notes]) { database async throws in
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

    @Test("Actions run once the commit is on disk, and not after a rollback") func commitActions() async throws {
        let actions = Probe<String>()
        try await withTemporaryDatabase([Self.notes]) { database async throws in
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
        try await withTemporaryDatabase([tables]) { database async throws in
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

    @Test("A transaction can't be used after it has ended") func transactionIsOver() async throws {
        final class Box: @unchecked Sendable { var transaction: (any Transaction)? }
        let box = Box()
        try await withTemporaryDatabase([Self.notes]) { database async throws in
            try await database.write { box.transaction = $0 }
            let leaked = try #require(box.transaction)
            #expect(throws: DatabaseError.transactionIsOver) { try leaked.rows("SELECT * FROM notes") }
            #expect(throws: DatabaseError.transactionIsOver) { try leaked.execute("DELETE FROM notes") }
        }
    }

    @Test("Reading can't change anything") func readsOnly() async throws {
        try await withTemporaryDatabase([Self.notes]) { database async throws in
            _ = await #expect(throws: DatabaseError.self) {
                try await database.read { _ = try $0.execute("INSERT INTO notes (text) VALUES ('sneaky')") }
            }
        }
    }

    @Test("A violated constraint is an error of its own") func constraint() async throws {
        try await withTemporaryDatabase([Self.notes]) { database async throws in
            try await database.execute("INSERT INTO notes (text) VALUES ('once')")
            do {
                try await database.execute("INSERT INTO notes (text) VALUES ('once')")
                Issue.record("a second one should have been refused")
            } catch DatabaseError.constraint {}
            #expect(try await texts(in: database) == ["once"])
        }
    }

    @Test("Text is compared byte by byte, whatever the language of the machine") func collation() async throws {
        try await withTemporaryDatabase([Self.notes]) { database async throws in
            for text in ["b", "Z", "ä", "a", "_"] {
                try await database.execute("INSERT INTO notes (text) VALUES (\(text))")
            }
            let sorted: [String] = try await database.read { transaction in
                try transaction.rows("SELECT text FROM notes WHERE text > 'A' ORDER BY text").map { try $0.get("text") }
            }
            #expect(sorted == ["Z", "_", "a", "b", "ä"])
        }
    }

    @Test("Rows count by themselves, and sums and counts are integers") func numbers() async throws {
        try await withTemporaryDatabase([Self.notes]) { database async throws in
            for text in ["a", "b"] { try await database.execute("INSERT INTO notes (text) VALUES (\(text))") }
            let row = try #require(
                try await database.read {
                    try $0.row(
                        "SELECT COUNT(*) AS count, COALESCE(SUM(id), 0) AS sum, MAX(id) - MIN(id) AS distance FROM notes"
                    )
                })
            #expect(try row.get("count", as: Int.self) == 2)
            #expect(try row.get("sum", as: Int64.self) == 3)
            #expect(try row.get("distance", as: Int64.self) == 1)
        }
    }

    private func texts(in database: any Database) async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows("SELECT text FROM notes ORDER BY id").map { try $0.get("text") }
        }
    }
}
