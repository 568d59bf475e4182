#if PostgreSQL
    /// An advisory lock on a connection of its own, which the server takes back when the process ends, however it ends, and
    /// within 40 s when its whole machine is gone without a word. So the connection must be to the server itself: a pooler in
    /// between may give it to others after each transaction.
    ///
    /// Who has the lock listens on the same connection, and those who wait for it notify. They do so after the commit and
    /// not in it: the server lets only one transaction commit at a time that has notified, with its wait for the disk.
    final class PostgreSQLTurn: Turn {
        /// How often is asked whether the others have finished.
        private static let pause: Duration = .milliseconds(500)

        private let work: String
        private let signal: Signal
        private let connection: PostgreSQLConnection

        init(_ work: String, signal: Signal = Signal(), url: String) {
            self.work = work
            self.signal = signal
            connection = PostgreSQLConnection(url: url)
        }

        var lookInterval: Duration { .seconds(2) }

        func take() async throws -> Bool {
            if try await tryLock() { return true }
            let end = ContinuousClock.now + Self.pause
            while await signal.wait(until: end, clock: ContinuousClock()) { try await notify() }
            try Task.checkCancellation()
            return false
        }

        func end() async { try? await connection.run { $0.close() } }

        /// A connection that has the lock gets it again, and one that was lost meanwhile has to wait as others do.
        private func tryLock() async throws -> Bool {
            try await PostgreSQLRetry.run(isRead: true) { [connection, work, signal] in
                try await connection.run { connection in
                    let row = try connection.execute(
                        """
                        SELECT pg_try_advisory_lock(number) AS mine, 'turn ' || number AS channel
                        FROM (SELECT \(raw: Self.hash) AS number FROM (SELECT \(work) AS work) AS work) AS turn
                        """
                    ).rows.first
                    guard let row, try row.get("mine") else { return false }
                    try connection.listen(to: row.get("channel"), signal.raise)
                    return true
                }
            }
        }

        private func notify() async throws {
            try await PostgreSQLRetry.run(isRead: true) { [connection, work] in
                try await connection.run { connection in
                    _ = try connection.execute(
                        "SELECT pg_notify('turn ' || \(raw: Self.hash), '') FROM (SELECT \(work) AS work) AS work")
                }
            }
        }

        /// The number of `work` for all processes. Services that share a database, each with a schema of its own, don't share
        /// turns.
        private static let hash = "hashtextextended(COALESCE(current_schema(), '') || '/' || work, 0)"
    }
#endif
