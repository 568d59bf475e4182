import Foundation

/// One step of a schema's history. It is applied once to each database, in the order of the list, and never changed
/// after it has been released: a later change is a new migration.
public struct Migration: Sendable {
    /// Unique in its database; by convention `owner-number-what`.
    public let name: String
    /// The statements, in the dialect that all engines share.
    public let statements: [SQL]

    public init(_ name: String, _ statements: SQL...) {
        self.name = name
        self.statements = statements
    }
}

extension Database {
    /// Applies the migrations that the database doesn't have yet, all in one transaction.
    /// - Throws: ``DatabaseError/unknownMigration(_:)`` if a newer version of the program has been here.
    func migrate(_ migrations: [Migration]) async throws {
        try await write { transaction in
            try transaction.execute(
                "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at_ms INTEGER NOT NULL)")
            let applied = Set(
                try transaction.rows("SELECT name FROM schema_migrations").map { try $0.get("name", as: String.self) })
            if let unknown = applied.subtracting(migrations.map(\.name)).min() {
                throw DatabaseError.unknownMigration(unknown)
            }
            for migration in migrations where !applied.contains(migration.name) {
                for statement in migration.statements { try transaction.execute(statement) }
                try transaction.execute(
                    "INSERT INTO schema_migrations (name, applied_at_ms) VALUES (\(migration.name), \(Date()))")
            }
        }
    }
}
