#if PostgreSQL
    import CPostgreSQL
    import Dispatch
    import Foundation
    import Tracing

    /// A connection to a PostgreSQL server, opened when it is first needed and again after it was lost.
    ///
    /// The calls of libpq block. They are made on a queue of the connection's own, as GRDB does with SQLite's, so that no
    /// thread of Swift's tasks waits for the network. What is mutable here is touched on that queue alone, hence the
    /// `@unchecked`.
    final class PostgreSQLConnection: @unchecked Sendable {
        private let url: String
        private let queue = DispatchQueue(label: "postgresql")
        private var handle: OpaquePointer?
        /// Watches for notifications while the connection listens.
        private var watch: (any DispatchSourceRead)?
        private var heard: @Sendable () -> Void = {}

        init(url: String) { self.url = url }

        deinit {
            watch?.cancel()
            PQfinish(handle)
        }

        /// Runs `body` on the connection's queue.
        func run<Value: Sendable>(
            _ body: @escaping @Sendable (PostgreSQLConnection) throws -> Value
        ) async throws -> Value {
            // The queue's thread knows nothing of the task that waits for it.
            let context = ServiceContext.current ?? .topLevel
            return try await withCheckedThrowingContinuation { continuation in
                queue.async {
                    continuation.resume(with: Result { try ServiceContext.withValue(context) { try body(self) } })
                }
            }
        }

        func close() {
            watch?.cancel()
            watch = nil
            PQfinish(handle)
            handle = nil
        }

        /// Runs one statement.
        func execute(_ sql: SQL) throws(PostgreSQLFailure) -> PostgreSQLResult {
            let arguments = PostgreSQLArguments(sql.arguments)
            return try result { handle in
                arguments.withPointers { types, values, lengths, formats in
                    PQexecParams(
                        handle, PostgreSQLDialect.text(of: sql), Int32(types.count), types, values, lengths, formats, 0)
                }
            }
        }

        /// Runs statements without arguments, separated by semicolons, in one round trip.
        /// - Returns: the result of the last one.
        @discardableResult
        func script(_ text: String) throws(PostgreSQLFailure) -> PostgreSQLResult {
            try result { PQexec($0, text) }
        }

        private func result(
            of call: (OpaquePointer) -> OpaquePointer?
        ) throws(PostgreSQLFailure) -> PostgreSQLResult {
            let handle = try open()
            let result = call(handle)
            defer {
                PQclear(result)
                // What came together with the answer makes no event any more.
                passOnNotifications()
            }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return PostgreSQLResult(result)
            default:
                let failure = PostgreSQLFailure(
                    state: PQresultErrorField(result, Self.sqlState).map { String(cString: $0) },
                    message: Self.firstLine(PQresultErrorField(result, Self.primaryMessage) ?? PQerrorMessage(handle)))
                if failure.isLoss || PQstatus(handle) == CONNECTION_BAD { close() }
                throw failure
            }
        }

        /// Which database this is, and where.
        func place() throws -> String {
            let names = "SELECT current_database() AS database, COALESCE(current_schema(), '') AS schema"
            guard let row = try script(names).rows.first else { throw DatabaseError.engine("it doesn't know its name") }
            let (database, schema) = (try row.get("database", as: String.self), try row.get("schema", as: String.self))
            let host = PQhost(handle).map { String(cString: $0) } ?? ""
            let port = PQport(handle).map { String(cString: $0) } ?? ""
            return "the database '\(database)', schema '\(schema)', on PostgreSQL at \(host):\(port)"
        }

        private func open() throws(PostgreSQLFailure) -> OpaquePointer {
            if let handle { return handle }
            // What comes later wins, and so what the URL says. A server that is gone without a word is noticed 20 s after
            // something was sent to it; if nothing is, 20 s after it was last heard. One that only reads is as good as none.
            let new = Self.withCStrings([
                ("client_encoding", "UTF8"), ("connect_timeout", "5"), ("keepalives_idle", "10"),
                ("keepalives_interval", "5"), ("keepalives_count", "2"), ("tcp_user_timeout", "20000"),
                ("target_session_attrs", "read-write"), ("fallback_application_name", "async-shop"), ("dbname", url),
            ]) { PQconnectdbParams($0, $1, 1) }
            guard let new, PQstatus(new) == CONNECTION_OK else {
                let message = Self.firstLine(PQerrorMessage(new))
                PQfinish(new)
                throw PostgreSQLFailure(state: nil, message: message)
            }
            // The server's notices would stand between the lines of the log.
            PQsetNoticeProcessor(new, { _, _ in }, nil)
            handle = new
            do {
                try script(Self.settings)
            } catch {
                // Without them it is not to be used.
                close()
                throw error
            }
            return new
        }

        /// What the server is to keep to in a session. A process that stands still in a transaction must not hold up the
        /// others for long, nor one whose machine is gone without a word while it had a turn: the server notices that as soon
        /// as we notice the loss of the server. (A Unix socket ignores what is TCP's.) A sequential scan would make
        /// serializable transactions meet that have nothing to do with each other (PostgreSQL's documentation, 13.2.3); every
        /// statement of a store has an index.
        private static let settings = """
            SET idle_in_transaction_session_timeout = '10s';
            SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2;
            SET tcp_user_timeout = 20000;
            SET enable_seqscan = off
            """

        /// Has `heard` called, on the connection's queue, after each notification of a channel, and when the connection is
        /// lost. A connection that listens already stays as it is.
        func listen(to channel: String, _ heard: @escaping @Sendable () -> Void) throws(PostgreSQLFailure) {
            guard watch == nil else { return }
            try script("LISTEN \"\(channel)\"")
            // A descriptor of its own: libpq may close the socket at any time, the watch's must stay until it has ended.
            let socket = dup(PQsocket(handle))
            guard socket >= 0 else { throw PostgreSQLFailure(state: nil, message: "no file descriptor is left") }
            self.heard = heard
            let watch = DispatchSource.makeReadSource(fileDescriptor: socket, queue: queue)
            watch.setEventHandler { [weak self] in self?.hear() }
            watch.setCancelHandler { Foundation.close(socket) }
            watch.activate()
            self.watch = watch
        }

        private func hear() {
            guard let handle, watch != nil else { return }
            if PQconsumeInput(handle) == 1 { return passOnNotifications() }
            close()
            heard()
        }

        private func passOnNotifications() {
            guard watch != nil else { return }
            while let notification = PQnotifies(handle) {
                PQfreemem(notification)
                heard()
            }
        }

        /// `PG_DIAG_SQLSTATE` and `PG_DIAG_MESSAGE_PRIMARY`, which are characters in C.
        private static let sqlState = Int32(UInt8(ascii: "C"))
        private static let primaryMessage = Int32(UInt8(ascii: "M"))

        private static func firstLine(_ text: UnsafePointer<CChar>?) -> String {
            let lines = text.map { String(cString: $0) }?.split(separator: "\n") ?? []
            return lines.first.map { $0.trimmingCharacters(in: .whitespaces) } ?? "it gives no reason"
        }

        /// Keywords and their values as libpq takes them.
        private static func withCStrings<Value>(
            _ pairs: [(String, String)],
            _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Value
        ) -> Value {
            let copies = pairs.map { (strdup($0.0), strdup($0.1)) }
            defer { for (keyword, value) in copies { free(keyword); free(value) } }
            return body(copies.map { UnsafePointer($0.0) } + [nil], copies.map { UnsafePointer($0.1) } + [nil])
        }
    }

    /// What a statement gave.
    struct PostgreSQLResult: Sendable {
        let rows: [Row]
        /// How many rows were inserted, changed or deleted.
        let changed: Int

        init(_ result: OpaquePointer?) {
            let columns = (0..<PQnfields(result)).map { PQfname(result, $0).map { String(cString: $0) } ?? "" }
            let types = (0..<PQnfields(result)).map { PQftype(result, $0) }
            rows = (0..<PQntuples(result)).map { row in
                Row(
                    columns: columns,
                    values: types.enumerated().map { column, type in
                        PQgetisnull(result, row, Int32(column)) == 1
                            ? .null
                            : SQLValue(
                                postgreSQLType: type, text: String(cString: PQgetvalue(result, row, Int32(column))))
                    })
            }
            // A query has a number here too, and has changed nothing.
            let isQuery = PQcmdStatus(result).map { String(cString: $0).hasPrefix("SELECT") } ?? false
            changed = isQuery ? 0 : PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        }
    }

    /// The arguments of a statement as libpq takes them: text and data as they are, with their lengths; numbers in words.
    struct PostgreSQLArguments {
        private var types: [Oid] = []
        private var lengths: [Int32] = []
        private var formats: [Int32] = []
        private var bytes: [UInt8] = []
        /// Where each begins; `nil` is NULL.
        private var starts: [Int?] = []

        init(_ values: [SQLValue]) {
            for value in values {
                switch value {
                // What it is follows from where it stands.
                case .null: append([UInt8]?.none, type: 0, format: 0)
                case .integer(let integer): append("\(integer)".utf8, type: PostgreSQLType.int8, format: 0)
                case .real(let real): append("\(real)".utf8, type: PostgreSQLType.float8, format: 0)
                case .text(let text): append(text.utf8, type: PostgreSQLType.text, format: 1)
                case .blob(let data): append(data, type: PostgreSQLType.bytea, format: 1)
                }
            }
        }

        private mutating func append(_ content: (some Collection<UInt8>)?, type: Oid, format: Int32) {
            types.append(type)
            formats.append(format)
            lengths.append(Int32(content?.count ?? 0))
            starts.append(content == nil ? nil : bytes.count)
            guard let content else { return }
            bytes.append(contentsOf: content)
            bytes.append(0)
        }

        func withPointers<Value>(
            _ body: ([Oid], [UnsafePointer<CChar>?], [Int32], [Int32]) -> Value
        ) -> Value {
            bytes.withUnsafeBytes { buffer in
                let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                return body(types, starts.map { start in start.flatMap { base?.advanced(by: $0) } }, lengths, formats)
            }
        }
    }

    /// Numbers of types in PostgreSQL's catalogue (pg_type.dat); they never change.
    enum PostgreSQLType {
        static let bool: Oid = 16
        static let bytea: Oid = 17
        static let int8: Oid = 20
        static let int2: Oid = 21
        static let int4: Oid = 23
        static let text: Oid = 25
        static let float4: Oid = 700
        static let float8: Oid = 701
        static let numeric: Oid = 1700
    }

    extension SQLValue {
        /// Reads a value as the server writes it in text.
        fileprivate init(postgreSQLType type: Oid, text: String) {
            switch type {
            case PostgreSQLType.bool: self = .integer(text == "t" ? 1 : 0)
            // The sum of integers is a numeric.
            case PostgreSQLType.int2, PostgreSQLType.int4, PostgreSQLType.int8, PostgreSQLType.numeric:
                self = Int64(text).map { .integer($0) } ?? Double(text).map { .real($0) } ?? .text(text)
            case PostgreSQLType.float4, PostgreSQLType.float8: self = Double(text).map { .real($0) } ?? .text(text)
            case PostgreSQLType.bytea: self = Data(hexadecimal: text.dropFirst(2)).map { .blob($0) } ?? .text(text)
            default: self = .text(text)
            }
        }
    }

    extension Data {
        /// Reads pairs of hexadecimal digits.
        fileprivate init?(hexadecimal digits: Substring) {
            let values = digits.utf8.map { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") ? $0 - 48 : $0 - 87 }
            guard values.count.isMultiple(of: 2), values.allSatisfy({ $0 < 16 }) else { return nil }
            self.init(stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] })
        }
    }
#endif
