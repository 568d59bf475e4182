import Foundation
import Persistence

/// Runs `body` with a new, empty folder and removes it afterwards.
@discardableResult
public func withTemporaryFolder<Value>(_ body: (URL) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "async-shop-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// Runs `body` with a database of its own that has `migrations`, and removes it afterwards.
@discardableResult
public func withTemporaryDatabase<Value>(
    _ migrations: [Migration], _ body: (any Database) async throws -> Value
) async throws -> Value {
    try await withTemporaryFolder { folder in
        let path = folder.appending(path: "test.sqlite").path
        let database = try await Databases.open(url: "sqlite:\(path)", migrations: migrations)
        let result: Result<Value, any Error>
        do { result = .success(try await body(database)) } catch { result = .failure(error) }
        try await database.close()
        return try result.get()
    }
}

extension Database {
    /// Runs one statement in a transaction of its own.
    public func execute(_ sql: SQL) async throws {
        try await write { _ = try $0.execute(sql) }
    }
}
