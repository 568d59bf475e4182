import Foundation

/// A statement with its arguments. Interpolated values are bound, never spliced into the text:
/// `"SELECT status FROM orders WHERE id = \(id)"`.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// The text with a `?` for each argument. Literals hold no question marks, so engines may renumber them.
    public let text: String
    /// The arguments in order.
    public let arguments: [SQLValue]

    public init(stringLiteral value: String) {
        text = value
        arguments = []
    }

    init(text: String, arguments: [SQLValue]) {
        self.text = text
        self.arguments = arguments
    }

    public init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        arguments = stringInterpolation.arguments
    }

    /// Collects text and arguments.
    public struct StringInterpolation: StringInterpolationProtocol {
        var text = ""
        var arguments: [SQLValue] = []

        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount)
            arguments.reserveCapacity(interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some SQLBindable) {
            text += "?"
            arguments.append(value.sqlValue)
        }

        /// Binds a value or NULL. Without this overload the compiler warns that an optional is interpolated.
        public mutating func appendInterpolation(_ value: (some SQLBindable)?) {
            text += "?"
            arguments.append(value.sqlValue)
        }

        /// Binds the raw value of a typed id or of an enumeration.
        public mutating func appendInterpolation<Value: RawRepresentable>(_ value: Value)
        where Value.RawValue: SQLBindable {
            appendInterpolation(value.rawValue)
        }

        /// Binds each value of a list, separated by commas, for `IN (…)`.
        public mutating func appendInterpolation(list values: some Collection<some SQLBindable>) {
            text += values.map { _ in "?" }.joined(separator: ", ")
            arguments += values.map(\.sqlValue)
        }

        /// Puts `WHERE` and conditions that must all hold into the statement, or nothing if there are none.
        public mutating func appendInterpolation(where conditions: [SQL]) {
            guard !conditions.isEmpty else { return }
            text += "WHERE " + conditions.map(\.text).joined(separator: " AND ")
            arguments += conditions.flatMap(\.arguments)
        }

        /// Puts text from the program, never from a user, into the statement.
        public mutating func appendInterpolation(raw text: String) { self.text += text }
    }
}

/// A value as the engines know it.
public enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob(Data)
}

/// A type that can be bound to a statement.
public protocol SQLBindable {
    /// The value as the engine takes it.
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLBindable {
    /// Itself; what an optional is bound as: `\(note.sqlValue)`.
    public var sqlValue: SQLValue { self }
}

/// A type that can be read from a column.
public protocol SQLReadable {
    /// Reads a column's value, or `nil` if it is of another type.
    init?(sqlValue: SQLValue)
}

extension Int64: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .integer(self) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self = value
    }
}

extension Int: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .integer(Int64(self)) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self.init(exactly: value)
    }
}

extension Double: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .real(self) }
    public init?(sqlValue: SQLValue) {
        switch sqlValue {
        case .real(let value): self = value
        case .integer(let value): self = Double(value)
        case .null, .text, .blob: return nil
        }
    }
}

/// Stored as 0 and 1, which every engine has.
extension Bool: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self = value != 0
    }
}

extension String: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .text(self) }
    public init?(sqlValue: SQLValue) {
        guard case .text(let value) = sqlValue else { return nil }
        self = value
    }
}

extension Data: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .blob(self) }
    public init?(sqlValue: SQLValue) {
        guard case .blob(let value) = sqlValue else { return nil }
        self = value
    }
}

/// Stored as whole milliseconds since 1970 (columns end in `_ms`).
extension Date: SQLBindable, SQLReadable {
    public var sqlValue: SQLValue { .integer(Int64((timeIntervalSince1970 * 1000).rounded())) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self.init(timeIntervalSince1970: Double(value) / 1000)
    }
}

extension Optional: SQLBindable where Wrapped: SQLBindable {
    public var sqlValue: SQLValue { self?.sqlValue ?? .null }
}

extension Optional: SQLReadable where Wrapped: SQLReadable {
    public init?(sqlValue: SQLValue) {
        if case .null = sqlValue {
            self = .none
        } else if let value = Wrapped(sqlValue: sqlValue) {
            self = value
        } else {
            return nil
        }
    }
}

/// One row of a query's result.
public struct Row: Sendable {
    private let columns: [String]
    private let values: [SQLValue]

    /// - Parameters:
    ///   - columns: the names, shared by all rows of a result.
    ///   - values: as many values.
    public init(columns: [String], values: [SQLValue]) {
        self.columns = columns
        self.values = values
    }

    /// The value of a column.
    /// - Throws: ``DatabaseError/column(_:reason:)`` if there is no such column or it holds another type.
    public func get<Value: SQLReadable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        guard let index = columns.firstIndex(of: column) else {
            throw DatabaseError.column(column, reason: "the query has no such column")
        }
        guard let value = Value(sqlValue: values[index]) else {
            throw DatabaseError.column(column, reason: "it holds no \(Value.self)")
        }
        return value
    }

    /// The value of a column that holds the raw value of a typed id or of an enumeration.
    public func get<Value: RawRepresentable>(_ column: String, as type: Value.Type = Value.self) throws -> Value
    where Value.RawValue: SQLReadable {
        let raw: Value.RawValue = try get(column)
        guard let value = Value(rawValue: raw) else {
            throw DatabaseError.column(column, reason: "'\(raw)' is no \(Value.self)")
        }
        return value
    }
}
