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
    /// - Throws: ``DatabaseError/unknownMigration(_:)`` if a newer version of the program has been here;
    ///   ``DatabaseError/moved(to:)`` if the data goes on elsewhere; ``DatabaseError/awaitsImport(from:)`` if it hasn't come.
    func migrate(_ migrations: [Migration]) async throws {
        try await write { transaction in
            var applied = try transaction.appliedMigrations()
            switch MoveNote(among: applied) {
            case .moved(_, let place): throw DatabaseError.moved(to: place)
            case .awaits(_, let path): throw DatabaseError.awaitsImport(from: path)
            case .began(let id): applied.remove(MoveNote.began(id: id).name)
            case nil: break
            }
            try transaction.migrate(migrations, from: applied)
        }
    }
}

extension Transaction {
    /// The names of the migrations that the database has; none if it is new.
    func appliedMigrations() throws -> Set<String> {
        try execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at_ms INTEGER NOT NULL)")
        return Set(try rows("SELECT name FROM schema_migrations").map { try $0.get("name", as: String.self) })
    }

    /// Applies the migrations that the database doesn't have yet.
    /// - Parameter applied: those that it has.
    func migrate(_ migrations: [Migration], from applied: Set<String>) throws {
        if let unknown = applied.subtracting(migrations.map(\.name)).min() {
            throw DatabaseError.unknownMigration(unknown)
        }
        for migration in migrations where !applied.contains(migration.name) {
            for statement in migration.statements { try execute(statement) }
            try noteMigration(migration.name)
        }
    }

    /// Notes that the database has a migration.
    func noteMigration(_ name: String) throws {
        try execute("INSERT INTO schema_migrations (name, applied_at_ms) VALUES (\(name), \(Date()))")
    }

    func add(_ note: MoveNote) throws { try noteMigration(note.name) }

    func remove(_ note: MoveNote) throws {
        try execute("DELETE FROM schema_migrations WHERE name = \(note.name)")
    }
}
