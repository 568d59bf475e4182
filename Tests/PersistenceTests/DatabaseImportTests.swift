#if PostgreSQL
    import Foundation
    import Logging
    import TestSupport
    import Testing

    @testable import Persistence

    /// Run them with `deploy/with-postgres`.
    @Suite("Taking over a file", .enabled(if: TestEngine.current == .postgreSQL), .timeLimit(.minutes(1)))
    struct DatabaseImportTests {
        @Test("Every value arrives as it was, and what refers to it finds it") func values() async throws {
            try await withMove { path, url in
                let texts = ["", "Zoë's \"café\" \\ $1 ? %", "日本語 🛍️\n\t", String(repeating: "long ", count: 300_000)]
                let integers = [Int64.min, -1, 0, 1, Int64.max]
                let blobs = [Data(), Data([0, 255, 92, 39]), Data(repeating: 7, count: 2_000_000)]
                try await fill(path) { transaction in
                    // NULL comes first, where it says nothing of its type.
                    try transaction.execute("INSERT INTO things (id) VALUES (1)")
                    for text in texts { try transaction.execute("INSERT INTO things (text) VALUES (\(text))") }
                    for integer in integers {
                        try transaction.execute("INSERT INTO things (number) VALUES (\(integer))")
                    }
                    for blob in blobs { try transaction.execute("INSERT INTO things (data) VALUES (\(blob))") }
                    for real in [0.1, -1e300, 5] {
                        try transaction.execute("INSERT INTO things (ratio) VALUES (\(real))")
                    }
                    for thing in 1...3 {
                        try transaction.execute("INSERT INTO parts (thing, position) VALUES (\(thing), 7)")
                    }
                }
                let database = try await take(path, to: url)
                try await database.read { transaction throws in
                    func column<Value: SQLReadable>(_ name: String) throws -> [Value] {
                        try transaction.rows(
                            "SELECT \(raw: name) FROM things WHERE \(raw: name) IS NOT NULL ORDER BY id"
                        ).map { try $0.get(name) }
                    }
                    #expect(try column("text") == texts)
                    #expect(try column("number") == integers)
                    #expect(try column("data") == blobs)
                    #expect(try column("ratio") == [0.1, -1e300, 5])
                    let empty: Int64? = try transaction.row("SELECT number FROM things WHERE id = 1")?.get("number")
                    #expect(empty == nil)
                    let joined = try transaction.rows("SELECT position FROM parts JOIN things ON id = thing")
                    #expect(try joined.map { try $0.get("position") } == [7, 7, 7])
                }
                try await database.close()
            }
        }

        @Test("Many rows arrive, each once and in their order") func manyRows() async throws {
            try await withMove { path, url in
                let count = 12_345
                try await fill(path) { transaction in
                    for number in 1...count {
                        try transaction.execute("INSERT INTO things (number, text) VALUES (\(number), \("\(number)"))")
                    }
                }
                let database = try await take(path, to: url)
                try await database.read { transaction throws in
                    let rows = try transaction.rows("SELECT id, number, text FROM things ORDER BY id")
                    #expect(try rows.map { try $0.get("number") } == Array(1...count))
                    #expect(try rows.allSatisfy { try $0.get("id") == $0.get("number", as: Int.self) })
                }
                try await database.close()
            }
        }

        @Test("No number is given twice, also not one of a row that is gone") func numbers() async throws {
            try await withMove { path, url in
                try await fill(path) { transaction in
                    for _ in 1...3 { try transaction.execute("INSERT INTO things (number) VALUES (1)") }
                    for _ in 1...5 { try transaction.execute("INSERT INTO tickets (holder) VALUES ('Ada')") }
                    try transaction.execute("DELETE FROM tickets")
                }
                let database = try await take(path, to: url)
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO things (number) VALUES (2)")
                    try transaction.execute("INSERT INTO tickets (holder) VALUES ('Bob')")
                    try transaction.execute("INSERT INTO \"order\" (\"group\") VALUES ('first')")
                    #expect(try transaction.row("SELECT id FROM things WHERE number = 2")?.get("id") == 4)
                    #expect(try transaction.row("SELECT id FROM tickets")?.get("id") == 6)
                    #expect(try transaction.row("SELECT id FROM \"order\"")?.get("id") == 1)
                }
                try await database.close()
            }
        }

        @Test("What a migration has put into the file comes from there, as it is now") func seeds() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("UPDATE settings SET value = 'changed' WHERE name = 'colour'") }
                let database = try await take(path, to: url)
                try await database.read { transaction throws in
                    #expect(
                        try transaction.rows("SELECT value FROM settings").map { try $0.get("value") } == ["changed"])
                }
                try await database.close()
            }
        }

        @Test("A file of an older version gets its migrations first") func olderFile() async throws {
            try await withMove { path, url in
                try await fill(path, Array(Self.migrations.dropLast())) { transaction in
                    try transaction.execute("INSERT INTO things (number) VALUES (1)")
                }
                let database = try await take(path, to: url)
                try await database.read { transaction throws in
                    #expect(try transaction.row("SELECT remark FROM things")?.get("remark") == "none")
                }
                try await database.close()
            }
        }

        @Test("No program starts on the file again, and each is told where to go") func moved() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                try await take(path, to: url).close()
                let error = await #expect(throws: DatabaseError.self) {
                    try await Databases.open(url: "sqlite:\(path)", migrations: Self.migrations)
                }
                let text = "\(try #require(error))"
                #expect(text.hasPrefix("The data of this file was moved to the database '"))
                #expect(text.contains("on PostgreSQL at 127.0.0.1:") && text.contains("set DATABASE_URL"))
                #expect(!text.contains("shop@") && !text.contains("\n"))
                // A version from before there were marks knows it for a migration that it doesn't have.
                let applied = try await Self.applied(in: path)
                #expect(applied.subtracting(Self.migrations.map(\.name)).count == 1)
            }
        }

        @Test("The next start takes nothing over, whether the file is there or not") func nextStart() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                let first = try await take(path, to: url)
                try await first.execute("UPDATE things SET number = 2")
                try await first.close()
                for isThere in [true, false] {
                    if !isThere { try FileManager.default.removeItem(atPath: path) }
                    let database = try await take(path, to: url)
                    try await database.read { transaction throws in
                        #expect(try transaction.rows("SELECT number FROM things").map { try $0.get("number") } == [2])
                    }
                    try await database.close()
                }
            }
        }

        @Test("Of many processes that start at once, one takes the data over") func atOnce() async throws {
            try await withMove { path, url in
                try await fill(path) { transaction in
                    for number in 1...1000 { try transaction.execute("INSERT INTO things (number) VALUES (\(number))") }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 1...4 { group.addTask { try await take(path, to: url).close() } }
                    try await group.waitForAll()
                }
                let database = try await take(path, to: url)
                #expect(try await database.read { try $0.rows("SELECT id FROM things").count } == 1000)
                try await database.close()
            }
        }

        @Test("A file that somebody works on is refused, and stays as it is") func inUse() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                let user = try await Databases.open(url: "sqlite:\(path)", migrations: Self.migrations)
                await expectRefusal("it is in use; stop the program", path, url)
                try await user.execute("INSERT INTO things (number) VALUES (2)")
                try await user.close()
                let database = try await take(path, to: url)
                #expect(try await database.read { try $0.rows("SELECT id FROM things").count } == 2)
                try await database.close()
            }
        }

        @Test("A file that is missing, no database, empty or another program's is refused") func wrongFile()
            async throws
        {
            try await withMove { path, url in
                await expectRefusal("there is no such file", path, url)
                try Data(String(repeating: "Dear Ada, ", count: 1000).utf8).write(to: URL(filePath: path))
                await expectRefusal("it is no database", path, url)
                try Data().write(to: URL(filePath: path))
                await expectRefusal("no program of the shop has worked on it", path, url)
                try await fill(path, Self.migrations + [Migration("test-009", "CREATE TABLE nine (id INTEGER)")]) { _ in
                }
                await expectRefusal("it has the migration 'test-009', which this version doesn't know", path, url)
                #expect(try await Self.applied(in: path).contains("test-009"))
            }
        }

        @Test("A text that PostgreSQL doesn't keep is named, and the file can be worked on") func zero() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (text) VALUES (\("cut\0off"))") }
                await expectRefusal("text in row 1 of the table things has a zero character", path, url)
                let file = try await Databases.open(url: "sqlite:\(path)", migrations: Self.migrations)
                try await file.execute("UPDATE things SET text = 'whole'")
                try await file.close()
                try await take(path, to: url).close()
            }
        }

        @Test("A database with data of its own is left alone, and so is the file") func ownData() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                try await Databases.open(url: url, migrations: Self.migrations).close()
                await expectRefusal("has data of its own", path, url)
                try await Databases.open(url: "sqlite:\(path)", migrations: Self.migrations).close()
            }
        }

        @Test("A move that was cut off goes on where it was to go, and nowhere else") func cutOff() async throws {
            try await withTemporaryFolder { folder in
                try await withTemporaryDatabaseURLs(2) { urls in
                    let path = folder.appending(path: "shop.sqlite").path
                    try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                    try await Self.mark(path, for: urls[0])
                    // Neither are there two shops, nor is there none.
                    await #expect(throws: DatabaseError.self) {
                        try await Databases.open(url: "sqlite:\(path)", migrations: Self.migrations)
                    }
                    let early = await #expect(throws: DatabaseError.self) {
                        try await Databases.open(url: urls[0], migrations: Self.migrations)
                    }
                    let text = "\(try #require(early))"
                    #expect(text.contains("is to begin with the data of \(path), and doesn't have it yet"))
                    let stranger = folder.appending(path: "stranger.sqlite").path
                    try await fill(stranger) { try $0.execute("INSERT INTO things (number) VALUES (2)") }
                    await expectRefusal("awaits that of \(path)", stranger, urls[0])
                    await expectRefusal("it has gone, or was about to go, to the database '", path, urls[1])
                    // The mark says which file it is, wherever that lies now.
                    let moved = folder.appending(path: "moved.sqlite").path
                    try FileManager.default.moveItem(atPath: path, toPath: moved)
                    let database = try await take(moved, to: urls[0])
                    #expect(try await database.read { try $0.rows("SELECT id FROM things").count } == 1)
                    try await database.close()
                    await expectRefusal("has data of its own", stranger, urls[0])
                }
            }
        }

        @Test("What awaits the data of a file that was not marked yet gets it") func unmarked() async throws {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                do {
                    let move = try await Self.announce(path, to: url)
                    try move.source.remove(move.moved)
                }
                let database = try await take(path, to: url)
                #expect(try await database.read { try $0.rows("SELECT id FROM things").count } == 1)
                try await database.close()
            }
        }

        @Test("Who doesn't know whether the data has been committed waits for that") func commitUnderWay() async throws
        {
            try await withMove { path, url in
                try await fill(path) { try $0.execute("INSERT INTO things (number) VALUES (1)") }
                let awaits = try await Self.mark(path, for: url)
                // The process that had the turn is gone, but the server is still at its transaction.
                let server = try PostgreSQLDatabase(url: url)
                try await server.write { _ = try $0.appliedMigrations() }
                let (begun, isBegun) = AsyncStream<Void>.makeStream()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await server.write { transaction in
                            try transaction.execute("LOCK TABLE schema_migrations IN EXCLUSIVE MODE")
                            try DatabaseImport.begin(awaits, Self.migrations, in: transaction)
                            try transaction.execute("INSERT INTO things (number) VALUES (42)")
                            isBegun.finish()
                            try Self.waitForAnother(in: transaction)
                        }
                    }
                    for await _ in begun {}
                    group.addTask {
                        let database = try await take(path, to: url)
                        try await database.read { transaction throws in
                            let numbers = try transaction.rows("SELECT number FROM things").map {
                                try $0.get("number") as Int
                            }
                            #expect(numbers == [42])
                        }
                        try await database.close()
                    }
                    try await group.waitForAll()
                }
                try await server.close()
            }
        }
    }

    // MARK: - Files and databases

    extension DatabaseImportTests {
        static let migrations = [
            Migration(
                "test-001",
                "CREATE TABLE things (id INTEGER PRIMARY KEY, number INTEGER, ratio REAL, text TEXT, data BLOB)",
                """
                CREATE TABLE parts (
                    thing INTEGER NOT NULL REFERENCES things (id), position INTEGER NOT NULL, PRIMARY KEY (thing, position))
                """,
                "CREATE TABLE tickets (id INTEGER PRIMARY KEY AUTOINCREMENT, holder TEXT NOT NULL)",
                // Words that mean something else where they aren't quoted.
                "CREATE TABLE \"order\" (id INTEGER PRIMARY KEY, \"group\" TEXT)",
                "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
                "INSERT INTO settings (name, value) VALUES ('colour', 'as it was')"),
            Migration("test-002", "ALTER TABLE things ADD COLUMN remark TEXT NOT NULL DEFAULT 'none'"),
        ]

        /// A path for a file and the address of a new database.
        private func withMove(_ body: (_ path: String, _ url: String) async throws -> Void) async throws {
            try await withTemporaryFolder { folder in
                try await withTemporaryDatabaseURL { try await body(folder.appending(path: "shop.sqlite").path, $0) }
            }
        }

        private func fill(
            _ path: String, _ migrations: [Migration] = Self.migrations,
            _ body: @escaping @Sendable (any Transaction) throws -> Void
        ) async throws {
            let file = try await Databases.open(url: "sqlite:\(path)", migrations: migrations)
            try await file.write(body)
            try await file.close()
        }

        private func take(_ path: String, to url: String) async throws -> any Database {
            try await Databases.open(
                url: url, importing: "sqlite:\(path)", migrations: Self.migrations, logger: Logger(label: "test"))
        }

        private func expectRefusal(
            _ words: String, _ path: String, _ url: String, sourceLocation: SourceLocation = #_sourceLocation
        ) async {
            do {
                try await take(path, to: url).close()
                Issue.record("it should have been refused: \(words)", sourceLocation: sourceLocation)
            } catch {
                let text = "\(error)"
                #expect(
                    text.hasPrefix("The data of \(path) can't be taken over: "), sourceLocation: sourceLocation)
                #expect(text.contains(words), sourceLocation: sourceLocation)
                #expect(!text.contains("\n") && text.hasSuffix("."), sourceLocation: sourceLocation)
            }
        }

        /// What an import has done when its process is killed before the new database has anything.
        /// - Returns: what the database knows of it.
        @discardableResult
        private static func mark(_ path: String, for url: String) async throws -> MoveNote {
            try await announce(path, to: url).awaits
        }

        private static func announce(_ path: String, to url: String) async throws -> DatabaseImport.Move {
            let database = try PostgreSQLDatabase(url: url)
            let announced = try await DatabaseImport(
                path: path, migrations: migrations, logger: Logger(label: "test")
            ).announce(to: database)
            try await database.close()
            return try #require(announced)
        }

        private static func applied(in path: String) async throws -> Set<String> {
            let file = try SQLiteDatabase(path: path)
            let names = try await file.write { try $0.appliedMigrations() }
            try await file.close()
            return names
        }

        /// Until another transaction waits for what this one has locked.
        private static func waitForAnother(in transaction: any Transaction) throws {
            for _ in 1...500 {
                let waiting = try transaction.rows(
                    "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'schema_migrations'::regclass")
                if !waiting.isEmpty { return }
                _ = try transaction.rows("SELECT pg_sleep(0.01)")
            }
            Issue.record("nobody waits")
        }
    }
#endif
