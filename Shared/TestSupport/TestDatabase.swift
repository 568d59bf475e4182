import Foundation
import Persistence

/// The engine that tests of databases run on: SQLite, or PostgreSQL if `TEST_POSTGRES_URL` names a server, as
/// `deploy/with-postgres` has it. So the same tests are run once for each.
public enum TestEngine: Sendable {
    case sqlite, postgreSQL

    /// The one of this run.
    public static let current = server == nil ? sqlite : postgreSQL

    fileprivate static let server = ProcessInfo.processInfo.environment["TEST_POSTGRES_URL"].flatMap {
        $0.isEmpty ? nil : $0
    }
}

/// Runs `body` with the address of an empty database of its own, and removes it afterwards.
@discardableResult
public func withTemporaryDatabaseURL<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    try await withTemporaryDatabaseURLs(1) { try await body($0[0]) }
}

/// Runs `body` with the addresses of some empty databases, and removes them afterwards.
@discardableResult
public func withTemporaryDatabaseURLs<Value>(
    _ count: Int, _ body: ([String]) async throws -> Value
) async throws -> Value {
    guard let server = TestEngine.server else {
        return try await withTemporaryFolder { folder in
            try await body((1...count).map { "sqlite:\(folder.appending(path: "test-\($0).sqlite").path)" })
        }
    }
    // A schema is to its connections what a database is, and sooner made.
    let schemas = (1...count).map { _ in "test_\(UUID().uuidString.replacing("-", with: "").lowercased())" }
    try await TestServer.current.run(schemas.map { "CREATE SCHEMA \(raw: $0)" }, on: server)
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(schemas.map { "\(server)?options=-csearch_path%3D\($0)" }))
    } catch {
        result = .failure(error)
    }
    try await TestServer.current.run(schemas.map { "DROP SCHEMA \(raw: $0) CASCADE" }, on: server)
    return try result.get()
}

/// Runs `body` with a database of its own that has `migrations`, and removes it afterwards.
@discardableResult
public func withTemporaryDatabase<Value>(
    _ migrations: [Migration], _ body: (any Database) async throws -> Value
) async throws -> Value {
    try await withTemporaryDatabaseURL { url in
        let database = try await Databases.open(url: url, migrations: migrations)
        let result: Result<Value, any Error>
        do { result = .success(try await body(database)) } catch { result = .failure(error) }
        try await database.close()
        return try result.get()
    }
}

/// Makes and removes what the tests work on.
private actor TestServer {
    static let current = TestServer()
    private var database: (any Database)?

    func run(_ statements: [SQL], on url: String) async throws {
        let database = try await opened(url)
        try await database.write { transaction in
            for statement in statements { try transaction.execute(statement) }
        }
    }

    /// Stays open for all tests of the process.
    private func opened(_ url: String) async throws -> any Database {
        if let database { return database }
        let new = try await Databases.open(url: url, migrations: [])
        database = new
        return new
    }
}

extension Database {
    /// Runs one statement in a transaction of its own.
    public func execute(_ sql: SQL) async throws {
        try await write { _ = try $0.execute(sql) }
    }
}
