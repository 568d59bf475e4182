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
