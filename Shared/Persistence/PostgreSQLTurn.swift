#if PostgreSQL
    /// An advisory lock on a connection of its own, which the server takes back when the process ends, however it ends. So
    /// the connection must be to the server itself: a pooler in between may give it to others after each transaction.
    final class PostgreSQLTurn: Turn {
        /// How often is asked whether the others have finished.
        private static let pause: Duration = .milliseconds(200)

        private let work: String
        private let connection: PostgreSQLConnection

        init(_ work: String, url: String) {
            self.work = work
            connection = PostgreSQLConnection(url: url)
        }

        func take() async throws {
            while try await !tryLock() { try await Task.sleep(for: Self.pause) }
        }

        func end() async { try? await connection.run { $0.close() } }

        /// A connection that has the lock gets it again, and one that was lost meanwhile has to wait as others do. Services
        /// that share a database, each with a schema of its own, don't share locks.
        private func tryLock() async throws -> Bool {
            try await PostgreSQLRetry.run(isRead: true) { [connection, work] in
                try await connection.run { connection in
                    let row = try connection.execute(
                        """
                        SELECT pg_try_advisory_lock(hashtextextended(COALESCE(current_schema(), '') || '/' || \(work), 0))
                            AS mine
                        """
                    ).rows.first
                    return try row?.get("mine") ?? false
                }
            }
        }
    }
#endif
