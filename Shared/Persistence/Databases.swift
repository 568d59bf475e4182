import Logging

/// Opens databases by address.
public enum Databases {
    /// Opens the database that `url` names and brings its schema up to date.
    /// - Parameters:
    ///   - url: `sqlite:PATH`, a file that is created if it isn't there; or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
    ///     with all that a connection URI of libpq may have.
    ///   - migrations: the schema, oldest first; each is applied once.
    /// - Throws: ``DatabaseError``.
    public static func open(url: String, migrations: [Migration]) async throws -> any Database {
        try await open(url: url, migrations: migrations, report: { _, _ in })
    }

    private static func open(
        url: String, migrations: [Migration], report: @escaping @Sendable (Bool, String) -> Void
    ) async throws -> any Database {
        guard namesPostgreSQL(url) else { return try await openSQLite(url: url, migrations: migrations) }
        #if PostgreSQL
            return try await PostgreSQLDatabase.open(url: url, migrations: migrations, report: report)
        #else
            throw DatabaseError.engineMissing
        #endif
    }

    /// Does the same, and has a database on a server begin with the data of a file that a program has worked on until now.
    /// A database that isn't new stays as it is, so that the file can be named at each start.
    /// - Parameters:
    ///   - source: `sqlite:PATH`; `nil` takes nothing over. Nobody else may work on the file. It is marked, and no program
    ///     starts on it again.
    ///   - logger: is told what was taken over.
    ///   - report: hears after each transaction whether the server can be reached. A file always can.
    /// - Throws: ``DatabaseError``.
    public static func open(
        url: String, importing source: String?, migrations: [Migration], logger: Logger,
        report: @escaping @Sendable (_ isReachable: Bool, _ detail: String) -> Void = { _, _ in }
    ) async throws -> any Database {
        guard let source else { return try await open(url: url, migrations: migrations, report: report) }
        guard source.hasPrefix(sqlite) else { throw DatabaseError.importNeedsFile }
        guard !url.hasPrefix(sqlite) else { throw DatabaseError.importNeedsServer }
        guard namesPostgreSQL(url) else { throw DatabaseError.unsupportedURL(url) }
        #if PostgreSQL
            let path = String(source.dropFirst(sqlite.count))
            return try await PostgreSQLDatabase.open(url: url, migrations: migrations, report: report) { database in
                try await DatabaseImport(path: path, migrations: migrations, logger: logger).run(into: database)
            }
        #else
            throw DatabaseError.engineMissing
        #endif
    }

    /// Opens the database of a program whose data is for it alone, and so always in a file.
    /// - Parameters:
    ///   - url: `sqlite:PATH`.
    ///   - migrations: the schema, oldest first; each is applied once.
    ///   - pageSize: the bytes in a page of a new file, for rows that are much larger or smaller than most.
    /// - Throws: ``DatabaseError``.
    public static func openSQLite(
        url: String, migrations: [Migration], pageSize: Int? = nil
    ) async throws -> any Database {
        if namesPostgreSQL(url) { throw DatabaseError.onlySQLite }
        guard url.hasPrefix(sqlite) else { throw DatabaseError.unsupportedURL(url) }
        let database = try SQLiteDatabase(path: String(url.dropFirst(sqlite.count)), pageSize: pageSize)
        try await database.migrate(migrations)
        return database
    }

    private static let sqlite = "sqlite:"

    private static func namesPostgreSQL(_ url: String) -> Bool {
        url.hasPrefix("postgres://") || url.hasPrefix("postgresql://")
    }
}
