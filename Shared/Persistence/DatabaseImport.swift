#if PostgreSQL
    import Foundation
    import Logging

    /// Has a new database begin with the data of a file, on which no program works from then on.
    ///
    /// What is under way in the file, such as messages in its outbox and mails that are still to go out, must go on in one
    /// place: nothing may be lost, and nothing done twice. So the database notes that it awaits the data, the file is marked
    /// with the same id before its data is anywhere else, and the data comes to its new place in one transaction, with the
    /// migrations, and with the note that it has come. Whenever the process ends:
    ///
    /// - Before the mark is on disk, nothing has happened. The file can be worked on, and the next start tries again.
    /// - After that, until the new database has committed, the data is in the file alone. Nothing starts on either of the two,
    ///   and the next start that names both takes the data over.
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

        /// A move that both the file and the database know of.
        struct Move: Sendable {
            let source: SQLiteSource
            let awaits: MoveNote
            let moved: MoveNote
        }

        /// Takes the data over, unless the database isn't new.
        /// - Throws: ``DatabaseError/cannotImport(path:reason:)``; also if the database isn't new and the data isn't in it, for
        ///   who names a file wants to see its data.
        func run(into database: PostgreSQLDatabase) async throws {
            let start = ContinuousClock.now
            guard let move = try await announce(to: database) else { return }
            let counts: [Int]?
            do {
                counts = try await database.write { try copy(move, to: $0) }
            } catch DatabaseError.outcomeUnknown(let reason) {
                throw DatabaseError.outcomeUnknown(reason)
            } catch {
                // If this fails, too, the notes stay, and the next start goes on.
                try? move.source.remove(move.moved)
                try? await database.write { try $0.remove(move.awaits) }
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

        // MARK: Before the data moves

        /// Notes the move, in the database and then in the file.
        /// - Returns: `nil` if the data is there already.
        func announce(to database: PostgreSQLDatabase) async throws -> Move? {
            let place = try await database.place()
            try await database.write { _ = try $0.appliedMigrations() }
            if try await database.write({ try Self.begins($0) }) {
                let source = try SQLiteSource(path: path)
                let mark = try source.prepare(migrations)
                guard let awaits = try await database.write({ try note(in: $0, at: place, mark) }) else { return nil }
                let moved = mark ?? MoveNote.moved(id: awaits.id, to: place)
                if mark == nil { try source.add(moved) }
                return Move(source: source, awaits: awaits, moved: moved)
            }
            // A file that was taken over may be gone, too.
            let isThere = FileManager.default.fileExists(atPath: path)
            let mark = isThere ? try SQLiteSource(path: path).note() : nil
            return try await database.write { transaction in
                guard case .began(let id) = try Self.state(transaction).note, !isThere || mark?.id == id else {
                    throw hasOwnData(place)
                }
                return nil
            }
        }

        /// What the database knows, after whoever is about to fill it.
        private static func state(_ transaction: any Transaction) throws -> (note: MoveNote?, isNew: Bool) {
            // As the first statement, so that what comes next sees what they have committed.
            try transaction.execute("LOCK TABLE schema_migrations IN EXCLUSIVE MODE")
            let applied = try transaction.appliedMigrations()
            return (MoveNote(among: applied), applied.isEmpty)
        }

        /// Whether the database is new, or awaits data.
        private static func begins(_ transaction: any Transaction) throws -> Bool {
            let (note, isNew) = try state(transaction)
            if case .awaits = note { return true }
            return isNew
        }

        /// Has the database await the data of the file.
        /// - Parameter mark: the file's.
        /// - Returns: `nil` if the data has come meanwhile.
        private func note(in transaction: any Transaction, at place: String, _ mark: MoveNote?) throws -> MoveNote? {
            let (note, isNew) = try Self.state(transaction)
            if let mark, mark.id != note?.id, case .moved(_, let other) = mark {
                throw refusal(
                    "it has gone, or was about to go, to \(other); set DATABASE_URL to that, which finishes it")
            }
            let origin = URL(filePath: path).path
            switch note {
            case nil where isNew:
                let awaits = MoveNote.awaits(id: UUID().uuidString, from: origin)
                try transaction.add(awaits)
                return awaits
            case .awaits(_, let other):
                // Without a mark, this may be the file, or another one while the file has its mark.
                guard mark != nil || other == origin else {
                    throw refusal("\(place), awaits that of \(other); name that file, or a new database")
                }
                return note
            case .began where mark != nil: return nil
            default: throw hasOwnData(place)
            }
        }

        private func hasOwnData(_ place: String) -> DatabaseError {
            refusal("\(place), has data of its own; name a new one in DATABASE_URL, or take DATABASE_IMPORT away")
        }

        private func refusal(_ reason: String) -> DatabaseError { .cannotImport(path: path, reason: reason) }

        // MARK: Moving the data

        /// - Returns: how many rows came from each table, or `nil` if the data is there already.
        private func copy(_ move: Move, to transaction: any Transaction) throws -> [Int]? {
            guard try Self.state(transaction).note == move.awaits else { return nil }
            try Self.begin(move.awaits, migrations, in: transaction)
            let source = move.source
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

        /// Makes the tables, and notes that the data comes with this transaction.
        static func begin(_ awaits: MoveNote, _ migrations: [Migration], in transaction: any Transaction) throws {
            try transaction.remove(awaits)
            try transaction.migrate(migrations, from: [])
            try transaction.add(.began(id: awaits.id))
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
