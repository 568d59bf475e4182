/// Opens databases by address.
public enum Databases {
    /// Opens the database that `url` names and brings its schema up to date.
    /// - Parameters:
    ///   - url: `sqlite:PATH`, a file that is created if it isn't there; or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
    ///     with all that a connection URI of libpq may have.
    ///   - migrations: the schema, oldest first; each is applied once.
    /// - Throws: ``DatabaseError``.
    public static func open(url: String, migrations: [Migration]) async throws -> any Database {
        guard namesPostgreSQL(url) else { return try await openSQLite(url: url, migrations: migrations) }
        #if PostgreSQL
            return try await PostgreSQLDatabase.open(url: url, migrations: migrations)
        #else
            throw DatabaseError.engineMissing
        #endif
    }

    /// Opens the database of a program whose data is for it alone, and so always in a file.
    /// - Parameters:
    ///   - url: `sqlite:PATH`.
    ///   - migrations: the schema, oldest first; each is applied once.
    /// - Throws: ``DatabaseError``.
    public static func openSQLite(url: String, migrations: [Migration]) async throws -> any Database {
        if namesPostgreSQL(url) { throw DatabaseError.onlySQLite }
        guard url.hasPrefix("sqlite:") else { throw DatabaseError.unsupportedURL(url) }
        let database = try SQLiteDatabase(path: String(url.dropFirst("sqlite:".count)))
        try await database.migrate(migrations)
        return database
    }

    private static func namesPostgreSQL(_ url: String) -> Bool {
        url.hasPrefix("postgres://") || url.hasPrefix("postgresql://")
    }
}
