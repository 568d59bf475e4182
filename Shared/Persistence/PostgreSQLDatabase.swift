#if PostgreSQL
    import CPostgreSQL
    import Foundation
    import Metrics
    import Tracing

    /// A database on a PostgreSQL server, on which several processes may work.
    ///
    /// Each write is a serializable transaction: whatever runs at the same time, here or in another process, the outcome is
    /// as if one had run after the other, as with SQLite. The server sees to that by refusing one of those that get into
    /// each other's way, which then runs again (see ``PostgreSQLRetry``). Group commit is the server's business too.
    public final class PostgreSQLDatabase: Database {
        private let pool: PostgreSQLPool
        private let url: String
        private let name: String
        private let commits = Counter(label: "postgresql.commits")

        /// More would get into each other's way more often than they get through sooner.
        private static let largestPool = 6

        private let report: @Sendable (_ isReachable: Bool, _ detail: String) -> Void

        /// - Parameters:
        ///   - url: a connection URI of libpq. Nothing is connected yet.
        ///   - report: hears after each transaction whether the server can be reached.
        /// - Throws: ``DatabaseError/unsupportedURL(_:)``.
        public init(
            url: String, report: @escaping @Sendable (_ isReachable: Bool, _ detail: String) -> Void = { _, _ in }
        ) throws {
            guard let options = PQconninfoParse(url, nil) else { throw DatabaseError.unsupportedURL(url) }
            defer { PQconninfoFree(options) }
            name = Self.value(of: "dbname", in: options) ?? "postgres"
            self.url = url
            self.report = report
            pool = PostgreSQLPool(url: url, largest: Self.largestPool)
        }

        /// Opens a database and brings its schema up to date. Of several processes that do so, one does and the others wait.
        /// - Parameter prepare: what is done before, also by one at a time.
        static func open(
            url: String, migrations: [Migration], report: @escaping @Sendable (Bool, String) -> Void,
            after prepare: (PostgreSQLDatabase) async throws -> Void = { _ in }
        ) async throws -> PostgreSQLDatabase {
            let database = try PostgreSQLDatabase(url: url, report: report)
            do {
                let turn = PostgreSQLTurn("migrations", url: url)
                while try await !turn.take() {}
                try await prepare(database)
                try await database.migrate(migrations)
                await turn.end()
            } catch {
                try await database.close()
                throw error
            }
            return database
        }

        public func read<Value: Sendable>(
            _ body: @escaping @Sendable (any Transaction) throws -> Value
        ) async throws -> Value {
            try await run(isRead: true) { connection in
                try connection.transact("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body).value
            }
        }

        @discardableResult
        public func write<Value: Sendable>(
            _ body: @escaping @Sendable (any Transaction) throws -> Value
        ) async throws -> Value {
            try await withCommitSpan(system: "postgresql", namespace: name) {
                let (value, actions) = try await run(isRead: false) { connection in
                    try connection.transact("BEGIN ISOLATION LEVEL SERIALIZABLE", body)
                }
                commits.increment()
                for action in actions { action() }
                return value
            }
        }

        private func run<Value: Sendable>(
            isRead: Bool, _ body: @escaping @Sendable (PostgreSQLConnection) throws -> Value
        ) async throws -> Value {
            do {
                let value = try await PostgreSQLRetry.run(isRead: isRead) { [pool] in try await pool.use(body) }
                report(true, "the database is there")
                return value
            } catch {
                if case DatabaseError.unreachable = error { report(false, "\(error)") }
                throw error
            }
        }

        public func close() async throws { try await pool.close() }

        /// Where the data is, in words, without what only its users may know.
        func place() async throws -> String {
            try await PostgreSQLRetry.run(isRead: true) { [pool] in try await pool.use { try $0.place() } }
        }

        public func turn(at work: String, signal: Signal) -> (any Turn)? {
            PostgreSQLTurn(work, signal: signal, url: url)
        }

        public var lookInterval: Duration? { .milliseconds(250) }

        private static func value(
            of keyword: String, in options: UnsafeMutablePointer<PQconninfoOption>
        ) -> String? {
            var option = options
            while let name = option.pointee.keyword {
                if String(cString: name) == keyword { return option.pointee.val.map { String(cString: $0) } }
                option += 1
            }
            return nil
        }
    }

    // MARK: - Transactions

    extension PostgreSQLConnection {
        /// Runs a transaction once.
        /// - Returns: what `body` gave, and what is to be done now that it is on disk.
        /// - Throws: ``PostgreSQLFailure`` if the server refused a statement, whatever `body` made of that; else what
        ///   `body` throws.
        fileprivate func transact<Value>(
            _ begin: String, _ body: (any Transaction) throws -> Value
        ) throws -> (value: Value, actions: [@Sendable () -> Void]) {
            try script(begin)
            let transaction = PostgreSQLTransaction(self)
            let result = Result { try body(transaction) }
            transaction.end()
            do {
                if let failure = transaction.failure { throw failure }
                let value = try result.get()
                try commit()
                return (value, transaction.commitActions)
            } catch let failure as PostgreSQLFailure where failure.isLoss {
                throw failure
            } catch {
                // If this fails, the connection is gone and the transaction with it.
                do { try script("ROLLBACK") } catch { close() }
                throw error
            }
        }

        private func commit() throws {
            do {
                try script("COMMIT")
            } catch {
                throw PostgreSQLFailure(state: error.state, message: error.message, isAtCommit: true)
            }
        }
    }

    /// A connection for as long as a transaction is open on it.
    private final class PostgreSQLTransaction: Transaction {
        private var connection: PostgreSQLConnection?
        private(set) var commitActions: [@Sendable () -> Void] = []
        /// What the server refused first. After that it takes no more statements.
        private(set) var failure: PostgreSQLFailure?

        init(_ connection: PostgreSQLConnection) { self.connection = connection }

        func end() { connection = nil }

        func execute(_ sql: SQL) throws -> Int { try result(of: sql).changed }

        func rows(_ sql: SQL) throws -> [Row] { try result(of: sql).rows }

        func onCommit(_ action: @escaping @Sendable () -> Void) { commitActions.append(action) }

        private func result(of sql: SQL) throws -> PostgreSQLResult {
            guard let connection else { throw DatabaseError.transactionIsOver }
            if let failure { throw failure }
            do {
                return try connection.execute(sql)
            } catch {
                failure = error
                throw error
            }
        }
    }
#endif
