#if PostgreSQL
    import Foundation
    import Logging

    /// Has a new database begin with the data of a file, on which no program works from then on.
    ///
    /// What is under way in the file, such as messages in its outbox and mails that are still to go out, must go on in one
    /// place: nothing may be lost, and nothing done twice. So the file is marked before its data is anywhere else, and the data
    /// comes to its new place in one transaction, with the migrations. Whenever the process ends:
    ///
    /// - Before the mark is on disk, nothing has happened. The file can be worked on, and the next start tries again.
    /// - After that, until the new database has committed, the data is in the file alone, on which nothing starts; the new
    ///   database is still new, and the next start on it takes the data over.
    /// - After the commit the new database isn't new any more, and the file's data isn't read again. Who doesn't hear whether it
    ///   has been committed finds out at the next start: who looks waits for a commit that is still under way, by a lock.
    /// - If the server refuses the data, and so certainly has nothing of it, the mark is taken away again, and the file can be
    ///   worked on.
    ///
    /// Who opens a database has the turn at its migrations. Should two be at it nevertheless, because one has lost its turn and
    /// doesn't know yet, then one of them gets neither the file nor the lock before the other has finished.
    struct DatabaseImport: Sendable {
        let path: String
        let migrations: [Migration]
        let logger: Logger

        /// Takes the data over, unless the database isn't new.
        /// - Throws: ``DatabaseError/cannotImport(path:reason:)``; also if the database isn't new and the data isn't in it, for
        ///   who names a file wants to see its data.
        func run(into database: PostgreSQLDatabase) async throws {
            let start = ContinuousClock.now
            let mark = MoveMark(place: try await database.place())
            try await database.write { _ = try $0.appliedMigrations() }
            guard try await database.write({ try Self.isNew($0) }) else { return try expectMoved(to: mark.place) }
            let source = try SQLiteSource(path: path)
            try source.prepare(migrations, for: mark)
            let counts: [Int]?
            do {
                counts = try await database.write { try copy(source, to: $0) }
            } catch DatabaseError.outcomeUnknown(let reason) {
                throw DatabaseError.outcomeUnknown(reason)
            } catch {
                // If this fails, too, the mark stays, and the next start goes on.
                try? source.remove(mark)
                throw error
            }
            guard let counts else { return }
            logger.notice(
                "the data of a file was taken over",
                metadata: [
                    "file": "\(path)", "tables": "\(counts.count)", "rows": "\(counts.reduce(0, +))",
                    "duration_ms": "\(Int((ContinuousClock.now - start) / .milliseconds(1)))",
                ])
        }

        /// Waits for whoever is about to fill the database.
        private static func isNew(_ transaction: any Transaction) throws -> Bool {
            // As the first statement, so that what comes next sees what they have committed.
            try transaction.execute("LOCK TABLE schema_migrations IN EXCLUSIVE MODE")
            return try transaction.appliedMigrations().isEmpty
        }

        /// A file that was taken over may be gone, too.
        private func expectMoved(to place: String) throws {
            guard FileManager.default.fileExists(atPath: path), try SQLiteSource(path: path).mark() == nil else {
                return
            }
            throw DatabaseError.cannotImport(
                path: path,
                reason: "\(place), has data of its own; name a new one in DATABASE_URL, or take DATABASE_IMPORT away")
        }

        /// - Returns: how many rows came from each table, or `nil` if the database isn't new any more.
        private func copy(_ source: SQLiteSource, to transaction: any Transaction) throws -> [Int]? {
            guard try Self.isNew(transaction) else { return nil }
            try transaction.migrate(migrations, from: [])
            let tables = try source.tables()
            // What migrations put into a new database is in the file as well, or isn't wanted any more.
            let names = tables.map { "\"\($0.name)\"" }.joined(separator: ", ")
            if !tables.isEmpty { try transaction.execute("TRUNCATE \(raw: names)") }
            return try tables.map { table in
                let count = try copy(table, of: source, to: transaction)
                try setNumber(of: table, behind: try source.lastNumber(of: table), in: transaction)
                return count
            }
        }

        private func copy(
            _ table: SQLiteSource.Table, of source: SQLiteSource, to transaction: any Transaction
        ) throws -> Int {
            var batch = InsertBatch(table: table)
            var count = 0
            try source.forEachRow(of: table) { number, values in
                for (column, value) in zip(table.columns, values) where value.hasZeroCharacter {
                    throw source.refusal(
                        "\(column) in row \(number) of the table \(table.name) has a zero character, which PostgreSQL doesn't keep; change it there"
                    )
                }
                count += 1
                if let statement = batch.add(values) { try transaction.execute(statement) }
            }
            if let statement = batch.take() { try transaction.execute(statement) }
            return count
        }

        /// Has the table go on counting where it was, for a number must never be given twice.
        private func setNumber(
            of table: SQLiteSource.Table, behind last: Int64, in transaction: any Transaction
        ) throws {
            let counting = try transaction.rows(
                """
                SELECT column_name FROM information_schema.columns
                WHERE table_schema = current_schema() AND table_name = \(table.name) AND is_identity = 'YES'
                """)
            for row in counting where last > 0 {
                let column: String = try row.get("column_name")
                _ = try transaction.rows(
                    "SELECT setval(pg_get_serial_sequence(\("\"\(table.name)\""), \(column)), \(last))")
            }
        }
    }

    /// Rows that go into a table by one statement, which is some times as fast as one for each.
    private struct InsertBatch {
        /// PostgreSQL takes 65,535.
        private static let mostArguments = 10_000
        private static let mostRows = 500
        private static let mostBytes = 1 << 20

        private let start: String
        private let width: Int
        private var arguments: [SQLValue] = []
        private var bytes = 0

        init(table: SQLiteSource.Table) {
            let columns = table.columns.map { "\"\($0)\"" }.joined(separator: ", ")
            start = "INSERT INTO \"\(table.name)\" (\(columns)) VALUES "
            width = table.columns.count
        }

        /// - Returns: the statement, if there is enough for one.
        mutating func add(_ row: [SQLValue]) -> SQL? {
            arguments += row
            bytes += row.reduce(0) { $0 + $1.byteCount }
            let isFull =
                arguments.count + width > Self.mostArguments || arguments.count >= width * Self.mostRows
                || bytes >= Self.mostBytes
            return isFull ? take() : nil
        }

        /// The statement for what is left.
        mutating func take() -> SQL? {
            guard !arguments.isEmpty else { return nil }
            let row = "(" + Array(repeating: "?", count: width).joined(separator: ", ") + ")"
            let rows = Array(repeating: row, count: arguments.count / width).joined(separator: ", ")
            defer { (arguments, bytes) = ([], 0) }
            return SQL(text: start + rows, arguments: arguments)
        }
    }

    extension SQLValue {
        fileprivate var byteCount: Int {
            switch self {
            case .null, .integer, .real: 8
            case .text(let text): text.utf8.count
            case .blob(let blob): blob.count
            }
        }

        fileprivate var hasZeroCharacter: Bool {
            guard case .text(let text) = self else { return false }
            return text.utf8.contains(0)
        }
    }
#endif
