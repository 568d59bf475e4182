import Foundation

/// A message attribute of SQS and SNS. The type is `String`, `Number` or `Binary`, with an optional label after a dot.
struct MessageAttribute: Sendable, Equatable {
    enum Value: Sendable, Equatable {
        case text(String)
        case binary(Data)
    }

    let type: String
    let value: Value

    /// What it counts towards the size of the message, besides its name.
    var size: Int {
        switch value {
        case .text(let text): type.utf8.count + text.utf8.count
        case .binary(let data): type.utf8.count + data.count
        }
    }

    /// Digits with a sign, a point and an exponent if need be, unlike what `Double` takes (`nan`, `0x10`).
    private static func isDecimal(_ text: String) -> Bool {
        Double(text)?.isFinite == true
            && text.utf8.allSatisfy { $0.isDigit || "+-.eE".utf8.contains($0) }
    }

    /// Checks an attribute as it came over the wire.
    init(name: String, type: String?, text: String?, binary: Data?) throws(AWSError) {
        try Self.check(name: name)
        guard let type, !type.isEmpty else {
            throw .invalidParameterValue(
                "The message attribute '\(name)' must contain a non-empty message attribute type.")
        }
        let kind = type.prefix { $0 != "." }
        switch kind {
        case "String", "Number":
            guard let text, !text.isEmpty else {
                throw .invalidParameterValue(
                    "The message attribute '\(name)' must contain a non-empty message attribute value for message attribute type '\(kind)'."
                )
            }
            if kind == "Number", !Self.isDecimal(text) {
                throw .invalidParameterValue("Can't cast the value of message (user) attribute '\(name)' to a number.")
            }
            value = .text(text)
        case "Binary":
            guard let binary, !binary.isEmpty else {
                throw .invalidParameterValue(
                    "The message attribute '\(name)' must contain a non-empty message attribute value for message attribute type 'Binary'."
                )
            }
            value = .binary(binary)
        default:
            throw .invalidParameterValue(
                "The message attribute '\(name)' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )
        }
        self.type = type
    }

    init(type: String, value: Value) {
        self.type = type
        self.value = value
    }

    private static func check(name: String) throws(AWSError) {
        let isWellFormed =
            !name.isEmpty && name.utf8.count <= 256
            && name.utf8.allSatisfy {
                $0.isLetterOrDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            }
            && !name.hasPrefix(".") && !name.hasSuffix(".") && !name.contains("..")
        let lowercased = name.lowercased()
        guard isWellFormed, !lowercased.hasPrefix("aws."), !lowercased.hasPrefix("amazon.") else {
            throw .invalidParameterValue(
                "Message (user) attribute name '\(name.prefix(300))' is invalid: use up to 256 letters, digits, '_', '-' and single dots inside, and no 'AWS.' or 'Amazon.' in front."
            )
        }
    }
}

extension MessageAttribute: Codable {
    private enum CodingKeys: String, CodingKey {
        case type = "DataType"
        case text = "StringValue"
        case binary = "BinaryValue"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            name: decoder.codingPath.last?.stringValue ?? "",
            type: container.decodeIfPresent(String.self, forKey: .type),
            text: container.decodeIfPresent(String.self, forKey: .text),
            binary: container.decodeIfPresent(Data.self, forKey: .binary))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(type, forKey: .type)
        switch value {
        case .text(let text): try container.encode(text, forKey: .text)
        case .binary(let data): try container.encode(data, forKey: .binary)
        }
    }
}

extension MessageAttribute {
    /// Attributes as a JSON object, the form in which they are stored and sent.
    static func encode(_ attributes: [String: MessageAttribute]) -> String {
        var json = JSONWriter()
        json.object(attributes.sorted { $0.key < $1.key }) { json, name, attribute in
            json.key(name)
            json.object { json in
                json.member("DataType", attribute.type)
                switch attribute.value {
                case .text(let text): json.member("StringValue", text)
                case .binary(let data): json.member("BinaryValue", data.base64EncodedString())
                }
            }
        }
        return json.text
    }

    /// The reverse of `encode`.
    static func decode(_ json: String) throws -> [String: MessageAttribute] {
        try JSONDecoder().decode([String: MessageAttribute].self, from: Data(json.utf8))
    }
}

extension UInt8 {
    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
    var isLetterOrDigit: Bool {
        isDigit || (self >= UInt8(ascii: "a") && self <= UInt8(ascii: "z"))
            || (self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z"))
    }
}
