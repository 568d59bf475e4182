import Foundation

/// The parameters of a Query request: `Name=value` pairs, with lists and maps spelled out in the names.
struct FormParameters: Sendable {
    private let values: [String: String]

    /// More than any request of the API needs.
    private static let mostParameters = 4096

    init(_ values: [String: String]) { self.values = values }

    /// Reads `application/x-www-form-urlencoded`.
    init(parsing form: some Sequence<UInt8>) throws(AWSError) {
        var values: [String: String] = [:]
        var name: [UInt8] = []
        var text: [UInt8] = []
        var isName = true
        func finish() throws(AWSError) {
            guard !name.isEmpty else { return }
            guard let key = Self.decode(name), let value = Self.decode(text) else {
                throw .malformedQuery("A parameter isn't percent-encoded UTF-8.")
            }
            values[key] = value
            guard values.count <= Self.mostParameters else { throw .malformedQuery("There are too many parameters.") }
        }
        for byte in form {
            switch byte {
            case UInt8(ascii: "&"):
                try finish()
                name = []
                text = []
                isName = true
            case UInt8(ascii: "=") where isName: isName = false
            default:
                if isName { name.append(byte) } else { text.append(byte) }
            }
        }
        try finish()
        self.init(values)
    }

    subscript(name: String) -> String? { values[name] }

    /// - Throws: `InvalidParameter` if it is missing.
    func required(_ name: String) throws(AWSError) -> String {
        guard let value = values[name], !value.isEmpty else { throw .invalidParameter("\(name) must be given") }
        return value
    }

    /// The items of `Name.member.1.…`, `Name.member.2.…` or `Name.entry.1.…`, in order.
    func items(_ name: String) -> [FormParameters] {
        var items: [Int: [String: String]] = [:]
        for (key, value) in values where key.hasPrefix(name + ".") {
            let parts = key.dropFirst(name.count + 1).split(
                separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count >= 2, ["member", "entry"].contains(parts[0]), let index = Int(parts[1]) else { continue }
            items[index, default: [:]][parts.count > 2 ? String(parts[2]) : ""] = value
        }
        return items.sorted { $0.key < $1.key }.map { FormParameters($0.value) }
    }

    /// The names of the parameters up to the first dot.
    var names: Set<String> { Set(values.keys.map { String($0.prefix { $0 != "." }) }) }

    /// The items of `Name.1.…`, `Name.2.…`, in order. One that is alone may go without its number, as in the API
    /// reference's examples.
    func numbered(_ name: String) -> [FormParameters] {
        var items: [Int: [String: String]] = [:]
        for (key, value) in values where key.hasPrefix(name + ".") {
            let rest = key.dropFirst(name.count + 1)
            let parts = rest.split(separator: ".", maxSplits: 1)
            if let index = parts.first.flatMap({ Int($0) }) {
                items[index, default: [:]][parts.count > 1 ? String(parts[1]) : ""] = value
            } else {
                items[0, default: [:]][String(rest)] = value
            }
        }
        return items.sorted { $0.key < $1.key }.map { FormParameters($0.value) }
    }

    /// The map of `Name.entry.1.key=…&Name.entry.1.value=…`.
    func map(_ name: String) -> [String: String] {
        var map: [String: String] = [:]
        for item in items(name) {
            if let key = item["key"] { map[key] = item["value"] ?? "" }
        }
        return map
    }

    /// `MessageAttributes.entry.1.Name=…&MessageAttributes.entry.1.Value.DataType=…`
    func messageAttributes() throws(AWSError) -> [String: MessageAttribute] {
        var attributes: [String: MessageAttribute] = [:]
        for item in items("MessageAttributes") {
            let name = item["Name"] ?? ""
            attributes[name] = try MessageAttribute(
                name: name, type: item["Value.DataType"], text: item["Value.StringValue"],
                binary: item["Value.BinaryValue"].flatMap { Data(base64Encoded: $0) })
        }
        return attributes
    }

    private static func decode(_ bytes: [UInt8]) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "+"): decoded.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
                else { return nil }
                decoded.append(high << 4 | low)
                index += 2
            default: decoded.append(bytes[index])
            }
            index += 1
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension AWSError {
    fileprivate static func malformedQuery(_ message: String) -> AWSError {
        AWSError(code: "MalformedQueryString", message)
    }
}
