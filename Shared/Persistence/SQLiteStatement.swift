import Foundation
import GRDB
import GRDBSQLite

/// Runs prepared statements by SQLite's own functions (sqlite.org, "An Introduction To The SQLite C/C++ Interface").
/// GRDB opens the files, pools the connections and keeps the statements; what it does besides for arguments and rows is
/// for far more than the plain values here, and is felt where a message is a handful of small statements.
extension Statement {
    /// SQLite copies a text or a blob before the call returns.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    /// Runs it to its end, whatever rows it has.
    func run(_ arguments: [SQLValue] = []) throws {
        defer { clear() }
        try bind(arguments)
        while try step() {}
    }

    /// Runs it to its end.
    func rows(_ arguments: [SQLValue]) throws -> [Row] {
        let columns = columnNames
        var rows: [Row] = []
        try forEachRow(arguments) { rows.append(Row(columns: columns, values: $0)) }
        return rows
    }

    /// Runs it to its end with one row at a time in memory.
    func forEachRow(_ arguments: [SQLValue] = [], _ body: ([SQLValue]) throws -> Void) throws {
        defer { clear() }
        try bind(arguments)
        let columns = 0..<sqlite3_column_count(sqliteStatement)
        while try step() { try body(columns.map { value($0) }) }
    }

    private func bind(_ arguments: [SQLValue]) throws {
        for (offset, argument) in arguments.enumerated() {
            let index = Int32(offset + 1)
            let status =
                switch argument {
                case .null: sqlite3_bind_null(sqliteStatement, index)
                case .integer(let integer): sqlite3_bind_int64(sqliteStatement, index, integer)
                case .real(let real): sqlite3_bind_double(sqliteStatement, index, real)
                case .text(var text):
                    text.withUTF8 {
                        $0.withMemoryRebound(to: CChar.self) {
                            sqlite3_bind_text64(
                                sqliteStatement, index, $0.baseAddress, UInt64($0.count), Self.copied,
                                UInt8(SQLITE_UTF8))
                        }
                    }
                case .blob(let blob):
                    blob.withUnsafeBytes {
                        $0.isEmpty
                            ? sqlite3_bind_zeroblob(sqliteStatement, index, 0)
                            : sqlite3_bind_blob64(
                                sqliteStatement, index, $0.baseAddress, UInt64($0.count), Self.copied)
                    }
                }
            guard status == SQLITE_OK else { throw failure(status) }
        }
    }

    /// - Returns: whether there is a row.
    private func step() throws -> Bool {
        switch sqlite3_step(sqliteStatement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let status: throw failure(status)
        }
    }

    private func value(_ column: Int32) -> SQLValue {
        switch sqlite3_column_type(sqliteStatement, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(sqliteStatement, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(sqliteStatement, column))
        case SQLITE_TEXT:
            let start = sqlite3_column_text(sqliteStatement, column)
            let count = Int(sqlite3_column_bytes(sqliteStatement, column))
            return .text(String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            let start = sqlite3_column_blob(sqliteStatement, column)
            let count = Int(sqlite3_column_bytes(sqliteStatement, column))
            return .blob(start.map { Data(bytes: $0, count: count) } ?? Data())
        default: return .null
        }
    }

    /// Makes it ready for the next run, and forgets the arguments, which may be large.
    private func clear() {
        sqlite3_reset(sqliteStatement)
        sqlite3_clear_bindings(sqliteStatement)
    }

    private func failure(_ status: Int32) -> GRDB.DatabaseError {
        GRDB.DatabaseError(
            resultCode: ResultCode(rawValue: status),
            message: String(cString: sqlite3_errmsg(sqlite3_db_handle(sqliteStatement))), sql: sql)
    }
}
