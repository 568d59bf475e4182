/// A relational database that a service owns alone: the port behind which SQLite (and any other engine) stands.
///
/// The bodies are synchronous on purpose: while a transaction is open nothing can be awaited, so no remote call fits
/// into one.
public protocol Database: Sendable {
    /// Reads from one consistent snapshot, which holds everything that was committed before the call.
    func read<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value

    /// Runs `body` in a transaction and returns once it is on disk.
    ///
    /// An error thrown by `body` rolls back what it did and is thrown on. Writes that run at the same time share one
    /// commit; if one of them fails, the others are rolled back too and run again, so `body` must do nothing but change
    /// the database: what else follows from it belongs into ``Transaction/onCommit(_:)``.
    @discardableResult
    func write<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value

    /// Waits for what is running and closes the files.
    func close() async throws
}

/// What can be done while a transaction is open. It is valid only inside the closure that received it.
public protocol Transaction {
    /// Runs one statement.
    /// - Returns: how many rows it inserted, changed or deleted.
    @discardableResult func execute(_ sql: SQL) throws -> Int

    /// All rows of a query, in its order.
    func rows(_ sql: SQL) throws -> [Row]

    /// Calls `action` after the transaction is on disk, and not at all if it is rolled back.
    func onCommit(_ action: @escaping @Sendable () -> Void)
}

extension Transaction {
    /// The first row of a query, if there is one.
    public func row(_ sql: SQL) throws -> Row? { try rows(sql).first }
}

/// What goes wrong with a database as such. Each description is a sentence that says what to do.
public enum DatabaseError: Error, Equatable, CustomStringConvertible {
    /// The file can't be opened or isn't a database.
    case cannotOpen(path: String, reason: String)
    /// The address names no engine that this program has.
    case unsupportedURL(String)
    /// No room on the disk; nothing of the transaction was kept.
    case diskFull
    /// A uniqueness, foreign key or check constraint was violated.
    case constraint(String)
    /// The database was written by a newer version of the program.
    case unknownMigration(String)
    /// The transaction was used after it had ended.
    case transactionIsOver
    /// A column is missing or holds another type than was asked for.
    case column(String, reason: String)
    /// Anything else that the engine reports.
    case engine(String)

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "The database \(path) can't be opened (\(reason)); check that the folder can be written, or set DATABASE_URL."
        case .unsupportedURL(let url):
            "The database address '\(url)' isn't understood; give it as sqlite:PATH."
        case .diskFull:
            "The disk is full and nothing was saved; make room and try again."
        case .constraint(let message):
            "The database refused the change: \(message)."
        case .unknownMigration(let name):
            "The database has the migration '\(name)', which this version doesn't know; run the newer version."
        case .transactionIsOver:
            "A transaction was used after it had ended."
        case .column(let name, let reason):
            "The column '\(name)' can't be read: \(reason)."
        case .engine(let message):
            "The database failed: \(message)."
        }
    }
}

/// Hears of a commit that is on disk: how many writes shared it, and how long it took from its first statement on.
public typealias CommitObserver = @Sendable (_ writes: Int, _ duration: Duration) -> Void

/// Opens databases by address.
public enum Databases {
    /// Opens the database that `url` names, creating it if it isn't there, and brings its schema up to date.
    /// - Parameters:
    ///   - url: `sqlite:PATH`.
    ///   - migrations: the schema, oldest first; each is applied once.
    ///   - onCommit: hears of each commit.
    /// - Throws: ``DatabaseError``.
    public static func open(
        url: String, migrations: [Migration], onCommit: CommitObserver? = nil
    ) async throws -> any Database {
        guard url.hasPrefix("sqlite:") else { throw DatabaseError.unsupportedURL(url) }
        let database = try SQLiteDatabase(path: String(url.dropFirst("sqlite:".count)), onCommit: onCommit)
        try await database.migrate(migrations)
        return database
    }
}
