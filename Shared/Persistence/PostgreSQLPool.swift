#if PostgreSQL
    import Synchronization

    /// A few connections, each lent to one at a time. One is opened only when all that are there are lent.
    final class PostgreSQLPool: Sendable {
        private struct State {
            var idle: [PostgreSQLConnection] = []
            var count = 0
            var waiting: [CheckedContinuation<PostgreSQLConnection, any Error>] = []
            var isClosed = false
        }

        private let url: String
        private let largest: Int
        private let state = Mutex(State())

        init(url: String, largest: Int) {
            self.url = url
            self.largest = largest
        }

        /// Runs `body` with a connection, waiting for one if all are lent.
        func use<Value: Sendable>(
            _ body: @escaping @Sendable (PostgreSQLConnection) throws -> Value
        ) async throws -> Value {
            let connection = try await take()
            defer { give(back: connection) }
            return try await connection.run(body)
        }

        /// Waits for those who use connections, and closes these.
        func close() async throws {
            let count = state.withLock { state in
                state.isClosed = true
                return state.count
            }
            for _ in 0..<count { try await take(toClose: true).run { $0.close() } }
        }

        private func take(toClose: Bool = false) async throws -> PostgreSQLConnection {
            try await withCheckedThrowingContinuation { continuation in
                let answer: Result<PostgreSQLConnection, any Error>? = state.withLock { state in
                    if state.isClosed, !toClose { return .failure(DatabaseError.engine("it was closed")) }
                    if let connection = state.idle.popLast() { return .success(connection) }
                    if state.count < largest, !toClose {
                        state.count += 1
                        return .success(PostgreSQLConnection(url: url))
                    }
                    state.waiting.append(continuation)
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        }

        private func give(back connection: PostgreSQLConnection) {
            let next = state.withLock { state -> CheckedContinuation<PostgreSQLConnection, any Error>? in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.idle.append(connection)
                return nil
            }
            next?.resume(returning: connection)
        }
    }
#endif
