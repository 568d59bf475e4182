import Foundation
import GRDB
import GRDBSQLite
import Metrics
import Synchronization
import Tracing

/// SQLite in WAL mode with `synchronous=FULL`: what a write returned for survives `kill -9` and a power cut.
///
/// One connection writes, a few read. Writes that arrive while a commit is on its way to the disk wait together and
/// share the next one (group commit), so that throughput does not end at one `fsync` for each.
public final class SQLiteDatabase: Database {
    private let pool: DatabasePool
    /// The file's.
    private let name: String
    private let metrics: CommitMetrics
    private let pending = Mutex(PendingWrites())

    /// How many writes share a commit at most, so that the first of them does not wait without bound.
    private static let largestGroup = 256

    /// Opens the file, creating it and its folder if they aren't there.
    /// - Parameter pageSize: the bytes in a page of a new file; `nil` for as many as SQLite thinks good.
    /// - Throws: ``DatabaseError/cannotOpen(path:reason:)``.
    public init(path: String, pageSize: Int? = nil) throws {
        name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        metrics = CommitMetrics(database: name)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { connection in
            // GRDB interrupts a read whose task is cancelled, and SQLite forgets that if no statement runs at the moment.
            sqlite3_progress_handler(connection.sqliteConnection, 1000, { _ in Task.isCancelled ? 1 : 0 }, nil)
            if let pageSize { try connection.execute(sql: "PRAGMA page_size = \(pageSize)") }
        }
        do {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            pool = try DatabasePool(path: path, configuration: configuration)
            // GRDB opens WAL databases with synchronous=NORMAL, which may lose the last commits in a power cut.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        } catch let error as GRDB.DatabaseError {
            throw DatabaseError.cannotOpen(path: path, reason: error.message ?? "\(error.resultCode)")
        } catch {
            throw DatabaseError.cannotOpen(path: path, reason: error.localizedDescription)
        }
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        do {
            // GRDB's own `read` would compile BEGIN and COMMIT anew each time.
            return try await pool.unsafeRead { connection in
                try connection.cachedStatement(sql: "BEGIN").run()
                defer {
                    do {
                        try connection.cachedStatement(sql: "COMMIT").run()
                    } catch {
                        // Interrupted, too. What only reads has nothing to lose.
                        try? connection.rollback()
                    }
                }
                let transaction = SQLiteTransaction(connection)
                defer { transaction.end() }
                return try body(transaction)
            }
        } catch let error as GRDB.DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
            // A read whose task was cancelled is interrupted, and nothing else.
            throw CancellationError()
        } catch let error as GRDB.DatabaseError {
            throw DatabaseError(error)
        }
    }

    @discardableResult
    public func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await withCommitSpan(system: "sqlite", namespace: name) { try await commit(body) }
    }

    private func commit<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        // The body runs on the writer's thread, which knows nothing of the task that waits for it.
        let context = ServiceContext.current ?? .topLevel
        return try await withCheckedThrowingContinuation { continuation in
            let write = PendingWrite(
                run: { transaction in
                    let value = try ServiceContext.withValue(context) { try body(transaction) }
                    return { continuation.resume(returning: value) }
                },
                fail: { continuation.resume(throwing: $0) })
            let mustStart = pending.withLock { $0.append(write) }
            if mustStart {
                pool.asyncWriteWithoutTransaction { connection in self.commitPending(on: connection) }
            }
        }
    }

    public func close() async throws {
        // The writer is serial: once this empty write is through, so is all that came before it.
        try await write { _ in }
        // GRDB closes the readers last, who may not do it. If somebody else still reads, the log stays, as after a crash.
        _ = try? await pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
        try pool.close()
    }

    private func commitPending(on connection: GRDB.Database) {
        while true {
            let group = pending.withLock { $0.take(atMost: Self.largestGroup) }
            if group.isEmpty { return }
            commit(group, on: connection)
        }
    }

    /// Runs a group of writes in one transaction. Nobody hears of success before the commit is on disk.
    ///
    /// A savepoint for each write would be the larger part of what a small write costs, and hardly a write fails. So
    /// they run without; if one fails, all of it is rolled back and done again, with savepoints.
    private func commit(_ group: [PendingWrite], on connection: GRDB.Database) {
        let started = ContinuousClock.now
        var outcomes: [@Sendable () -> Void] = []
        do {
            try connection.cachedStatement(sql: "BEGIN IMMEDIATE").run()
            do {
                for write in group { outcomes.append(try run(write, on: connection)) }
            } catch  where group.count > 1 && connection.isInsideTransaction {
                try connection.execute(sql: "ROLLBACK")
                try connection.execute(sql: "BEGIN IMMEDIATE")
                outcomes = []
                for write in group { outcomes.append(try runInSavepoint(write, on: connection)) }
            }
            try connection.cachedStatement(sql: "COMMIT").run()
            metrics.record(writes: group.count, duration: ContinuousClock.now - started)
        } catch {
            if connection.isInsideTransaction { try? connection.execute(sql: "ROLLBACK") }
            let reason = (error as? GRDB.DatabaseError).map { DatabaseError($0) } ?? error
            outcomes = group.map { write in { write.fail(reason) } }
        }
        for outcome in outcomes { outcome() }
    }

    /// - Returns: what to tell the write's caller after the commit.
    private func run(_ write: PendingWrite, on connection: GRDB.Database) throws -> @Sendable () -> Void {
        let transaction = SQLiteTransaction(connection)
        defer { transaction.end() }
        let succeed = try write.run(transaction)
        let actions = transaction.commitActions
        return {
            for action in actions { action() }
            succeed()
        }
    }

    /// Runs a write so that it can fail alone.
    /// - Returns: what to tell its caller after the commit.
    /// - Throws: only when SQLite has given up the transaction as a whole, as it does when the disk is full.
    private func runInSavepoint(_ write: PendingWrite, on connection: GRDB.Database) throws -> @Sendable () -> Void {
        try connection.cachedStatement(sql: "SAVEPOINT one").run()
        do {
            let succeed = try run(write, on: connection)
            try connection.cachedStatement(sql: "RELEASE one").run()
            return succeed
        } catch {
            guard connection.isInsideTransaction else { throw error }
            try connection.execute(sql: "ROLLBACK TO one")
            try connection.execute(sql: "RELEASE one")
            let reason = (error as? GRDB.DatabaseError).map { DatabaseError($0) } ?? error
            return { write.fail(reason) }
        }
    }
}

/// What is measured of commits. How many there were, and how many writes, are the counts and sums of the histograms.
private struct CommitMetrics: Sendable {
    /// How many writes shared a commit.
    private let writes: Recorder
    /// From a commit's first statement until it was on disk.
    private let duration: Metrics.Timer

    init(database: String) {
        let dimensions = [("db.namespace", database)]
        writes = Recorder(label: "sqlite.commit.writes", dimensions: dimensions)
        duration = Metrics.Timer(label: "sqlite.commit.duration", dimensions: dimensions)
    }

    func record(writes count: Int, duration time: Duration) {
        writes.record(count)
        duration.recordNanoseconds(Int64(time / .nanoseconds(1)))
    }
}

/// A write that waits for its turn: `run` makes the changes and returns what to call after the commit.
private struct PendingWrite: Sendable {
    let run: @Sendable (any Transaction) throws -> @Sendable () -> Void
    let fail: @Sendable (any Error) -> Void
}

/// The writes that wait, and whether somebody is already working them off.
private struct PendingWrites {
    private var writes: [PendingWrite] = []
    private var isDraining = false

    /// - Returns: whether the caller has to start working them off.
    mutating func append(_ write: PendingWrite) -> Bool {
        writes.append(write)
        defer { isDraining = true }
        return !isDraining
    }

    /// Takes the oldest. Empty means that the one who asked has finished.
    mutating func take(atMost count: Int) -> [PendingWrite] {
        let taken = Array(writes.prefix(count))
        writes.removeFirst(taken.count)
        isDraining = !taken.isEmpty
        return taken
    }
}

/// A GRDB connection for as long as a transaction is open.
final class SQLiteTransaction: Transaction {
    private var connection: GRDB.Database?
    private(set) var commitActions: [@Sendable () -> Void] = []

    init(_ connection: GRDB.Database) { self.connection = connection }

    func end() { connection = nil }

    func execute(_ sql: SQL) throws -> Int {
        let connection = try open()
        let before = connection.totalChangesCount
        try connection.cachedStatement(sql: sql.text).run(sql.arguments)
        return connection.totalChangesCount - before
    }

    func rows(_ sql: SQL) throws -> [Row] {
        try open().cachedStatement(sql: sql.text).rows(sql.arguments)
    }

    func onCommit(_ action: @escaping @Sendable () -> Void) { commitActions.append(action) }

    private func open() throws -> GRDB.Database {
        guard let connection else { throw DatabaseError.transactionIsOver }
        return connection
    }
}

extension DatabaseError {
    init(_ error: GRDB.DatabaseError) {
        let message = error.message ?? "\(error.resultCode)"
        switch error.resultCode {
        case .SQLITE_FULL: self = .diskFull
        case .SQLITE_CONSTRAINT: self = .constraint(message)
        default: self = .engine(message)
        }
    }
}
