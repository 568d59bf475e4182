#if PostgreSQL
    import Foundation
    import GRDB

    /// A file whose data is to go on elsewhere, opened so that nobody else can work on it meanwhile.
    final class SQLiteSource: Sendable {
        /// A table, by the name and the columns that it has in every engine.
        struct Table: Sendable {
            let name: String
            let columns: [String]
        }

        private let path: String
        private let queue: DatabaseQueue

        /// - Throws: ``DatabaseError/cannotImport(path:reason:)`` if the file isn't there, is in use or is no database.
        init(path: String) throws {
            self.path = path
            guard FileManager.default.fileExists(atPath: path) else {
                throw DatabaseError.cannotImport(path: path, reason: "there is no such file; check DATABASE_IMPORT")
            }
            var configuration = Configuration()
            configuration.prepareDatabase { connection in
                // Where this comes before anything is read, a file in WAL mode is for one connection alone: opening it
                // fails while others are open, and theirs as long as this one is (sqlite.org, "Write-Ahead Logging",
                // "Use of WAL Without Shared-Memory").
                try connection.execute(sql: "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL")
            }
            queue = try Self.explaining(path) { try DatabaseQueue(path: path, configuration: configuration) }
            // A file that isn't in WAL mode yet is locked by the first who writes.
            try write { _ in }
        }

        /// Whether the data goes on elsewhere.
        func note() throws -> MoveNote? { try write { MoveNote(among: try $0.appliedMigrations()) } }

        /// Brings the schema up to date.
        /// - Returns: whether the data goes on elsewhere, or was about to.
        /// - Throws: ``DatabaseError/cannotImport(path:reason:)`` if the file is another program's or a newer one's.
        func prepare(_ migrations: [Migration]) throws -> MoveNote? {
            try write { transaction in
                var applied = try transaction.appliedMigrations()
                let note = MoveNote(among: applied)
                if let note { applied.remove(note.name) }
                guard !applied.isEmpty else {
                    throw refusal("no program of the shop has worked on it; check DATABASE_IMPORT")
                }
                do {
                    try transaction.migrate(migrations, from: applied)
                } catch DatabaseError.unknownMigration(let name) {
                    throw refusal(
                        "it has the migration '\(name)', which this version doesn't know; give this program's own file, or run the newer version"
                    )
                }
                return note
            }
        }

        /// Marks the file, so that no program works on it any more. It is on disk when this returns.
        func add(_ note: MoveNote) throws { try write { try $0.add(note) } }

        /// Takes the mark away again.
        func remove(_ note: MoveNote) throws { try write { try $0.remove(note) } }

        /// The tables with what the program has written, each after those that it refers to: PostgreSQL lets no migration make
        /// them in another order.
        func tables() throws -> [Table] {
            try write { transaction in
                let names = try transaction.rows(
                    """
                    SELECT name FROM sqlite_master
                    WHERE type = 'table' AND name <> 'schema_migrations' AND substr(name, 1, 7) <> 'sqlite_'
                    ORDER BY rowid
                    """)
                return try names.map { row in
                    let name: String = try row.get("name")
                    let columns = try transaction.rows("SELECT name FROM pragma_table_info(\(name)) ORDER BY cid")
                    return Table(name: name, columns: try columns.map { try $0.get("name") })
                }
            }
        }

        /// Goes through a table with one row at a time in memory, in the order in which the rows came.
        func forEachRow(of table: Table, _ body: (_ number: Int64, _ values: [SQLValue]) throws -> Void) throws {
            let columns = table.columns.map { "\"\($0)\"" }.joined(separator: ", ")
            try Self.explaining(path) {
                try queue.writeWithoutTransaction { connection in
                    let rows = try connection.makeStatement(
                        sql: "SELECT rowid, \(columns) FROM \"\(table.name)\" ORDER BY rowid")
                    try rows.forEachRow { values in
                        guard case .integer(let number)? = values.first else { return }
                        try body(number, Array(values.dropFirst()))
                    }
                }
            }
        }

        /// The largest number that a table has given to a row by itself, as far as it remembers.
        func lastNumber(of table: Table) throws -> Int64 {
            try write { transaction in
                // What was deleted is remembered for AUTOINCREMENT alone, in a table that is there if one needs it.
                let memory = "SELECT name FROM sqlite_master WHERE name = 'sqlite_sequence'" as SQL
                let remembered =
                    try transaction.row(memory) == nil
                    ? nil : try transaction.row("SELECT seq FROM sqlite_sequence WHERE name = \(table.name)")
                let present = try transaction.row("SELECT COALESCE(MAX(rowid), 0) AS seq FROM \"\(raw: table.name)\"")
                return try [remembered, present].compactMap { try $0?.get("seq", as: Int64.self) }.max() ?? 0
            }
        }

        func refusal(_ reason: String) -> DatabaseError { .cannotImport(path: path, reason: reason) }

        private func write<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
            try Self.explaining(path) {
                try queue.write { connection in
                    let transaction = SQLiteTransaction(connection)
                    defer { transaction.end() }
                    return try body(transaction)
                }
            }
        }

        private static func explaining<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
            do {
                return try body()
            } catch let error as GRDB.DatabaseError {
                let reason =
                    switch error.resultCode {
                    case .SQLITE_BUSY, .SQLITE_LOCKED: "it is in use; stop the program that works on it, and try again"
                    case .SQLITE_NOTADB: "it is no database; check DATABASE_IMPORT"
                    default: error.message ?? "\(error.resultCode)"
                    }
                throw DatabaseError.cannotImport(path: path, reason: reason)
            }
        }
    }
#endif
