import Foundation

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
    /// commit; if one of them fails, the others are rolled back too and run again. A write that got into the way of
    /// another process's is run again as well. So `body` must do nothing but change the database: what else follows from
    /// it belongs into ``Transaction/onCommit(_:)``.
    /// - Throws: ``DatabaseError/outcomeUnknown(_:)`` if the connection to a server broke while it was committing.
    @discardableResult
    func write<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value

    /// Waits for what is running and closes files and connections.
    func close() async throws

    /// The turn at some work that the processes on this database do one at a time, by a name that they share; `nil` if
    /// there is only one process.
    /// - Parameter signal: raised here after each commit that makes work, and waited for by who does it. Who waits for
    ///   the turn passes it on, so that it is raised where the turn is.
    func turn(at work: String, signal: Signal) -> (any Turn)?

    /// How often to look for what other processes have written, of which nothing here tells; `nil` if there are none.
    var lookInterval: Duration? { get }
}

/// A database is for one process, unless its engine says otherwise.
extension Database {
    /// None, for there is nobody to take turns with.
    public func turn(at work: String, signal: Signal) -> (any Turn)? { nil }

    public var lookInterval: Duration? { nil }
}

/// The right to do some work alone among the processes of a database.
///
/// It is there to save work, not to guard it: who has lost it, by a connection that broke, may not know yet. So what is
/// done in turns must do no harm when done twice.
public protocol Turn: Sendable {
    /// Asks for the turn, which this process then keeps until it ends. Ask again before each piece of work.
    /// - Returns: whether this process has it; if not, after a while in which it could have become free.
    /// - Throws: `CancellationError`.
    func take() async throws -> Bool

    /// Gives it to others.
    func end() async

    /// How often who has the turn looks for work without a signal, as one is lost with a process that ends right after
    /// its commit.
    var lookInterval: Duration { get }
}

/// What can be done while a transaction is open. It is valid only inside the closure that received it.
///
/// A statement that fails ends the transaction: with PostgreSQL nothing more can be done in it, so that no body may count
/// on going on after an error.
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
    /// The address names no engine that there is.
    case unsupportedURL(String)
    /// The address names an engine that this program was built without.
    case engineMissing
    /// The address names a server, but the program's data is in a file.
    case onlySQLite
    /// The server didn't answer for some time; nothing of the transaction was kept.
    case unreachable(String)
    /// The connection broke during the commit. Whoever does the same again must be able to bear that it was done already,
    /// as what is guarded by an inbox or an idempotency key is.
    case outcomeUnknown(String)
    /// No room on the disk; nothing of the transaction was kept.
    case diskFull
    /// A uniqueness, foreign key or check constraint was violated.
    case constraint(String)
    /// The database was written by a newer version of the program.
    case unknownMigration(String)
    /// The data goes on elsewhere.
    case moved(to: String)
    /// The database is to begin with the data of a file, and doesn't have it yet.
    case awaitsImport(from: String)
    /// The address of what is to be taken over names no file.
    case importNeedsFile
    /// The address of what it is to be taken over to names no server.
    case importNeedsServer
    /// The data of this file can't be taken over.
    case cannotImport(path: String, reason: String)
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
            // What follows the scheme may hold a password.
            """
            The database address '\(url.firstRange(of: "://").map { url[..<$0.upperBound] + "…" } ?? url)' isn't \
            understood; give it as sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the \
            password and so on.
            """
        case .engineMissing:
            "This program was built without PostgreSQL; build it with 'swift build --traits PostgreSQL', or set DATABASE_URL to sqlite:PATH."
        case .onlySQLite:
            "This program keeps its data in a file that nobody else works on; set DATABASE_URL to sqlite:PATH."
        case .unreachable(let reason):
            "The database can't be reached (\(reason)); check that the server runs and that DATABASE_URL is right."
        case .outcomeUnknown(let reason):
            "The connection to the database broke during a commit (\(reason)), so that the change may have been kept or not; look, or repeat the request with its key."
        case .diskFull:
            "The disk is full and nothing was saved; make room and try again."
        case .constraint(let message):
            "The database refused the change: \(message)."
        case .unknownMigration(let name):
            "The database has the migration '\(name)', which this version doesn't know; run the newer version."
        case .moved(let place):
            "The data of this file was moved to \(place); set DATABASE_URL to that, for what was under way here is done there."
        case .awaitsImport(let path):
            "This database is to begin with the data of \(path), and doesn't have it yet; set DATABASE_IMPORT to that file, which finishes it."
        case .importNeedsFile:
            "DATABASE_IMPORT isn't understood; give it as sqlite:PATH, the file of a program that has been stopped."
        case .importNeedsServer:
            "DATABASE_IMPORT is for a move from a file to PostgreSQL; set DATABASE_URL to postgres://…, or take DATABASE_IMPORT away."
        case .cannotImport(let path, let reason):
            "The data of \(path) can't be taken over: \(reason)."
        case .transactionIsOver:
            "A transaction was used after it had ended."
        case .column(let name, let reason):
            "The column '\(name)' can't be read: \(reason)."
        case .engine(let message):
            "The database failed: \(message)."
        }
    }
}

extension DatabaseError {
    /// Whether the same transaction may succeed later though nobody changes it, for nothing is wrong with it: the database is
    /// away, or has no room. After ``outcomeUnknown(_:)`` it may also have succeeded already.
    public var isTransient: Bool {
        switch self {
        case .unreachable, .outcomeUnknown, .diskFull: true
        default: false
        }
    }
}

extension DatabaseError: LocalizedError {
    public var errorDescription: String? { description }

    /// What whoever sent a request can do about a transient error; `nil` for all others.
    public var recoverySuggestion: String? {
        isTransient
            ? "The service's database can't save or find anything now; send the request again, with the same Idempotency-Key if it has one."
            : nil
    }
}
