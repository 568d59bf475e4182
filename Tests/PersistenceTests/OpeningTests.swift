import Foundation
import Logging
import Persistence
import TestSupport
import Testing

@Suite("Opening a database and its migrations", .timeLimit(.minutes(1))) struct OpeningTests {
    let first = Migration("test-001", "CREATE TABLE one (id INTEGER PRIMARY KEY)", "INSERT INTO one (id) VALUES (1)")
    let second = Migration("test-002", "ALTER TABLE one ADD COLUMN note TEXT")

    @Test("Each migration is applied once, in order, whenever it comes") func migrations() async throws {
        try await withTemporaryDatabaseURL { url in
            for migrations in [[first], [first], [first, second], [first, second]] {
                let database = try await Databases.open(url: url, migrations: migrations)
                #expect(try await database.read { try $0.rows("SELECT * FROM one").count } == 1)
                try await database.close()
            }
        }
    }

    @Test("A database that a newer version has written is refused by name") func unknownMigration() async throws {
        try await withTemporaryDatabaseURL { url in
            try await Databases.open(url: url, migrations: [first, second]).close()
            await #expect(throws: DatabaseError.unknownMigration("test-002")) {
                try await Databases.open(url: url, migrations: [first])
            }
            #expect("\(DatabaseError.unknownMigration("test-002"))".contains("run the newer version"))
        }
    }

    @Test("Migrations that fail leave the database as it was") func failedMigration() async throws {
        try await withTemporaryDatabaseURL { url in
            let broken = Migration(
                "test-003", "CREATE TABLE two (id INTEGER PRIMARY KEY)", "INSERT INTO nowhere VALUES (1)")
            await #expect(throws: DatabaseError.self) {
                try await Databases.open(url: url, migrations: [first, broken])
            }
            let database = try await Databases.open(url: url, migrations: [first])
            #expect(try await database.read { try $0.rows("SELECT * FROM one").count } == 1)
            await #expect(throws: DatabaseError.self) { try await database.read { try $0.rows("SELECT * FROM two") } }
            try await database.close()
        }
    }

    @Test("A new file has pages as large as it is told; one that is there keeps its own") func pageSize() async throws {
        try await withTemporaryFolder { folder in
            let url = "sqlite:\(folder.appending(path: "pages.sqlite").path)"
            for size in [8192, 4096] {
                let database = try await Databases.openSQLite(url: url, migrations: [first], pageSize: size)
                let row = try await database.read { try $0.row("PRAGMA page_size") }
                #expect(try row?.get("page_size") == 8192)
                try await database.close()
            }
        }
    }

    @Test("A path that can't be opened is named, with what to do") func cannotOpen() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "file")
            try Data("not a folder".utf8).write(to: file)
            let path = file.appending(path: "shop.sqlite").path
            let error = await #expect(throws: DatabaseError.self) {
                try await Databases.open(url: "sqlite:\(path)", migrations: [])
            }
            let text = "\(try #require(error))"
            #expect(text.hasPrefix("The database \(path) can't be opened ("))
            #expect(text.contains("DATABASE_URL"))
            #expect(!text.contains("\n"))
        }
    }

    @Test("A file that is no database is refused") func noDatabase() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "letter.txt")
            try Data(String(repeating: "Dear Ada, ", count: 1000).utf8).write(to: file)
            let error = await #expect(throws: DatabaseError.self) {
                try await Databases.open(url: "sqlite:\(file.path)", migrations: [])
            }
            guard case .cannotOpen(file.path, _)? = error else {
                Issue.record("expected cannotOpen, not \(String(describing: error))")
                return
            }
        }
    }

    @Test("An address of no known engine is refused", arguments: ["mysql://localhost/shop", "shop.sqlite", ""])
    func unsupported(url: String) async {
        await #expect(throws: DatabaseError.unsupportedURL(url)) {
            try await Databases.open(url: url, migrations: [])
        }
    }

    @Test("What a refused address may hold of passwords isn't repeated") func secretAddress() {
        let text = "\(DatabaseError.unsupportedURL("postgress://ada:secret@db/order"))"
        #expect(text.contains("'postgress://…'"))
        #expect(!text.contains("secret"))
    }

    @Test("A program whose data is in a file says so when it is given a server", arguments: ["postgres", "postgresql"])
    func onlySQLite(scheme: String) async {
        await #expect(throws: DatabaseError.onlySQLite) {
            try await Databases.openSQLite(url: "\(scheme)://127.0.0.1/broker", migrations: [])
        }
    }

    @Test(
        "Data is taken over from a file to a server, and in no other way",
        arguments: [
            ("sqlite:new.sqlite", "sqlite:old.sqlite", DatabaseError.importNeedsServer),
            ("postgres://127.0.0.1/order", "postgres://127.0.0.1/old", .importNeedsFile),
            ("postgres://127.0.0.1/order", "old.sqlite", .importNeedsFile),
            ("mysql://127.0.0.1/order", "sqlite:old.sqlite", .unsupportedURL("mysql://127.0.0.1/order")),
        ])
    func wrongImport(url: String, source: String, error: DatabaseError) async {
        await #expect(throws: error) {
            try await Databases.open(url: url, importing: source, migrations: [], logger: Logger(label: "test"))
        }
        #expect("\(error)".hasSuffix(".") && !"\(error)".contains("\n"))
    }

    @Test(
        "A program that was built without PostgreSQL says how to build it with",
        .enabled(if: !isBuiltWithPostgreSQL))
    func engineMissing() async {
        await #expect(throws: DatabaseError.engineMissing) {
            try await Databases.open(url: "postgres://127.0.0.1/order", migrations: [])
        }
        #expect("\(DatabaseError.engineMissing)".contains("swift build --traits PostgreSQL"))
    }
}

#if PostgreSQL
    let isBuiltWithPostgreSQL = true
#else
    let isBuiltWithPostgreSQL = false
#endif
