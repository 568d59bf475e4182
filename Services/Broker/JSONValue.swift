/// Any JSON value, for what has no fixed shape: policies, and bodies that filters look into.
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// - Throws: `SerializationException` if it isn't JSON.
    init(parsing json: String) throws(AWSError) {
        self = try JSONReader.read(json.utf8) { (reader) throws(AWSError) in try reader.value() }
    }

    var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
    var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
}

extension JSONWriter {
    /// Writes any value, the members of objects in the order of their names.
    mutating func value(_ value: JSONValue) {
        switch value {
        case .string(let text): string(text)
        case .number(let number): raw(number.decimal)
        case .bool(let isTrue): raw(isTrue ? "true" : "false")
        case .null: raw("null")
        case .array(let items): array(items) { $0.value($1) }
        case .object(let members):
            object(members.sorted { $0.key < $1.key }) { json, name, member in
                json.key(name)
                json.value(member)
            }
        }
    }
}

extension Double {
    /// Without a fraction, if it is a number that has none.
    var decimal: String { Int64(exactly: self).map { String($0) } ?? "\(self)" }
}
