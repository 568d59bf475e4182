import Foundation

/// The parameters of a Query request: `Name=value` pairs, with lists and maps spelled out in the names.
struct FormParameters: Sendable {
    private typealias Pair = (name: String, value: String)

    /// As they came. Few are looked up by name, so a list is quicker than a dictionary would be made.
    private let pairs: [Pair]

    /// More than any request of the API needs.
    private static let mostParameters = 4096

    private init(_ pairs: [Pair]) { self.pairs = pairs }

    /// Reads `application/x-www-form-urlencoded`.
    init(parsing form: some Sequence<UInt8>) throws(AWSError) {
        if let pairs = form.withContiguousStorageIfAvailable(Self.parse) {
            self.init(try pairs.get())
        } else {
            self.init(try Array(form).withUnsafeBufferPointer(Self.parse).get())
        }
    }

    private static func parse(_ form: UnsafeBufferPointer<UInt8>) -> Result<[Pair], AWSError> {
        var pairs: [Pair] = []
        var start = 0
        while start < form.count {
            let rest = UnsafeBufferPointer(rebasing: form[start...])
            let pair = UnsafeBufferPointer(rebasing: rest[..<rest.offset(of: UInt8(ascii: "&"))])
            start += pair.count + 1
            let equals = pair.offset(of: UInt8(ascii: "="))
            guard equals > 0 else { continue }
            guard let name = decode(UnsafeBufferPointer(rebasing: pair[..<equals])),
                let value = decode(UnsafeBufferPointer(rebasing: pair[equals...].dropFirst()))
            else { return .failure(.malformedQuery("A parameter isn't percent-encoded UTF-8.")) }
            pairs.append((name, value))
            guard pairs.count <= mostParameters else {
                return .failure(.malformedQuery("There are too many parameters."))
            }
        }
        return .success(pairs)
    }

    /// The value of a parameter; of one that was given twice the last counts.
    subscript(name: String) -> String? { pairs.last { $0.name == name }?.value }

    /// - Throws: `InvalidParameter` if it is missing.
    func required(_ name: String) throws(AWSError) -> String {
        guard let value = self[name], !value.isEmpty else {
            throw .invalidParameter("\(name) Reason: no value for required parameter")
        }
        return value
    }

    /// The items of `Name.member.1.…`, `Name.member.2.…` or `Name.entry.1.…`, in order.
    func items(_ name: String) -> [FormParameters] {
        var items = Items()
        for (key, value) in pairs {
            guard let rest = key[...].utf8.dropPrefix(name.utf8)?.dropPrefix(".".utf8),
                var numbered = rest.dropPrefix("member.".utf8) ?? rest.dropPrefix("entry.".utf8),
                let index = numbered.popNumber()
            else { continue }
            items.add(String(Substring(numbered)), value, to: index)
        }
        return items.sorted
    }

    /// The parameters by their names up to the first dot, each with what of its name begins there: one pass for all that is
    /// looked up.
    var byName: [String: FormParameters] {
        var groups: [String: [Pair]] = [:]
        for (name, value) in pairs {
            let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")) ?? name.endIndex
            groups[String(name[..<dot]), default: []].append((String(name[dot...]), value))
        }
        return groups.mapValues { FormParameters($0) }
    }

    /// The items of `.1.…`, `.2.…`, in order, as ``byName`` has them. One that is alone may go without its number, as in the
    /// API reference's examples.
    var numbered: [FormParameters] {
        var items = Items()
        for (key, value) in pairs {
            guard var rest = key[...].utf8.dropPrefix(".".utf8) else { continue }
            let index = rest.popNumber()
            items.add(String(Substring(rest)), value, to: index ?? 0)
        }
        return items.sorted
    }

    /// Parameters by the number of the item that they belong to.
    private struct Items {
        private var pairs: [Int: [Pair]] = [:]

        mutating func add(_ name: String, _ value: String, to index: Int) {
            pairs[index, default: []].append((name, value))
        }

        var sorted: [FormParameters] { pairs.sorted { $0.key < $1.key }.map { FormParameters($0.value) } }
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

    /// - Returns: `nil` if it isn't percent-encoded UTF-8.
    private static func decode(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
            return String(validUTF8: bytes)
        }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bytes.count) { decoded in
            var count = 0
            var index = 0
            while index < bytes.count {
                var byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "%") {
                    guard index + 1 < bytes.count, let high = bytes[index].hexDigit, let low = bytes[index + 1].hexDigit
                    else { return nil }
                    byte = high << 4 | low
                    index += 2
                } else if byte == UInt8(ascii: "+") {
                    byte = UInt8(ascii: " ")
                }
                decoded[count] = byte
                count += 1
            }
            return String(validUTF8: UnsafeBufferPointer(rebasing: decoded[..<count]))
        }
    }
}

extension Substring.UTF8View {
    /// What follows a prefix; `nil` if it begins otherwise.
    fileprivate func dropPrefix(_ prefix: String.UTF8View) -> Substring.UTF8View? {
        let isPrefix = withContiguousStorageIfAvailable { bytes in
            prefix.withContiguousStorageIfAvailable { bytes.starts(with: $0) } ?? false
        }
        return isPrefix ?? starts(with: prefix) ? dropFirst(prefix.count) : nil
    }

    /// Takes digits off the front, with the dot behind them if there is one.
    /// - Returns: `nil`, and takes nothing, if there is no number.
    fileprivate mutating func popNumber() -> Int? {
        let digits = prefix { $0 != UInt8(ascii: ".") }
        guard let number = Int(Substring(digits)) else { return nil }
        self = self[digits.endIndex...].dropFirst()
        return number
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Where a byte is first; the end if it isn't there.
    fileprivate func offset(of byte: UInt8) -> Int {
        guard let start = baseAddress, let found = memchr(start, Int32(byte), count) else { return count }
        return UnsafeRawPointer(found) - UnsafeRawPointer(start)
    }
}

extension AWSError {
    fileprivate static func malformedQuery(_ message: String) -> AWSError {
        AWSError(code: "MalformedQueryString", message)
    }
}
