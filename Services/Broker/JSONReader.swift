import Foundation

/// Reads JSON text (RFC 8259) from its first byte to its last, value by value, without a tree in between: a request is
/// read in one pass, and nothing is kept of what nobody asks for.
///
/// What is read was checked; of a member that occurs twice the last one counts. Text that isn't JSON, isn't UTF-8 or is
/// nested too deeply is a `SerializationException`.
struct JSONReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0
    private var depth = 0

    private static let deepest = 128

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// Reads a whole text, which is one value.
    static func read<Value>(
        _ text: some Sequence<UInt8>, _ body: (inout JSONReader) throws(AWSError) -> Value
    ) throws(AWSError) -> Value {
        func run(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<Value, AWSError> {
            var reader = JSONReader(bytes)
            do throws(AWSError) {
                let value = try body(&reader)
                guard reader.peek() == nil else { throw reader.malformed }
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        if let result = text.withContiguousStorageIfAvailable(run) { return try result.get() }
        return try Array(text).withUnsafeBufferPointer(run).get()
    }

    // MARK: Values

    /// Reads an object: `each` is called with the name of each member and must read its value.
    mutating func object(_ each: (inout JSONReader, String) throws(AWSError) -> Void) throws(AWSError) {
        try open("{")
        if take("}") { return leave() }
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw malformed }
            let name = try string()
            guard take(":") else { throw malformed }
            do throws(AWSError) {
                try each(&self, name)
            } catch {
                throw error == Self.wrongType ? .serialization("The value of \(name) is of the wrong type.") : error
            }
        } while take(",")
        guard take("}") else { throw malformed }
        leave()
    }

    /// Reads an array: `each` must read an element.
    mutating func array(_ each: (inout JSONReader) throws(AWSError) -> Void) throws(AWSError) {
        try open("[")
        if take("]") { return leave() }
        repeat { try each(&self) } while take(",")
        guard take("]") else { throw malformed }
        leave()
    }

    /// Reads `null` if it is next.
    mutating func null() throws(AWSError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    mutating func bool() throws(AWSError) -> Bool {
        switch peek() {
        case UInt8(ascii: "t"):
            try word("true")
            return true
        case UInt8(ascii: "f"):
            try word("false")
            return false
        default: throw wrongType
        }
    }

    mutating func number() throws(AWSError) -> Double {
        guard let first = peek(), first == UInt8(ascii: "-") || first.isDigit else { throw wrongType }
        let start = index
        _ = takeByte("-")
        if !takeByte("0") { try digits() }
        if takeByte(".") { try digits() }
        if takeByte("e") || takeByte("E") {
            if !takeByte("-") { _ = takeByte("+") }
            try digits()
        }
        // No decimal digit that a Double can tell apart is cut off; this is for those who send a million of them.
        guard index - start <= 1024, let number = Double(String(decoding: bytes[start..<index], as: UTF8.self)) else {
            throw malformed
        }
        return number
    }

    mutating func integer() throws(AWSError) -> Int {
        guard let integer = Int(exactly: try number()) else { throw wrongType }
        return integer
    }

    /// Any value, as a tree.
    mutating func value() throws(AWSError) -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try object { (reader, name) throws(AWSError) in members[name] = try reader.value() }
            return .object(members)
        case UInt8(ascii: "["):
            var items: [JSONValue] = []
            try array { (reader) throws(AWSError) in items.append(try reader.value()) }
            return .array(items)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try bool())
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        case .some(let byte) where byte == UInt8(ascii: "-") || byte.isDigit: return .number(try number())
        default: throw malformed
        }
    }

    /// Reads a value that nobody asks for.
    mutating func skip() throws(AWSError) {
        switch peek() {
        case UInt8(ascii: "{"): try object { (reader, _) throws(AWSError) in try reader.skip() }
        case UInt8(ascii: "["): try array { (reader) throws(AWSError) in try reader.skip() }
        default: _ = try value()
        }
    }

    mutating func string() throws(AWSError) -> String {
        guard peek() == UInt8(ascii: "\"") else { throw wrongType }
        index += 1
        let start = index
        // Mostly nothing is escaped.
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                let text = String(validUTF8: UnsafeBufferPointer(rebasing: bytes[start..<index]))
                guard let text else { throw malformed }
                index += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw malformed
            default: index += 1
            }
        }
        throw malformed
    }

    private mutating func escapedString(from start: Int) throws(AWSError) -> String {
        var text = [UInt8](bytes[start..<index])
        text.reserveCapacity(2 * text.count + 256)
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = text.withUnsafeBufferPointer({ String(validUTF8: $0) }) else { throw malformed }
                return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw malformed
            default: text.append(byte)
            }
        }
        throw malformed
    }

    private mutating func escape(into text: inout [UInt8]) throws(AWSError) {
        guard index < bytes.count else { throw malformed }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hex()
            if 0xD800..<0xDC00 ~= code {
                guard takeByte("\\"), takeByte("u") else { throw malformed }
                let low = try hex()
                guard 0xDC00..<0xE000 ~= low else { throw malformed }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code), let encoded = UTF8.encode(scalar) else { throw malformed }
            text.append(contentsOf: encoded)
        default: throw malformed
        }
    }

    private mutating func hex() throws(AWSError) -> UInt32 {
        guard index + 4 <= bytes.count else { throw malformed }
        var code: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = byte.hexDigit else { throw malformed }
            code = code << 4 | UInt32(digit)
        }
        index += 4
        return code
    }

    // MARK: Bytes

    /// The first byte after white space.
    private mutating func peek() -> UInt8? {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return bytes[index]
            }
        }
        return nil
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func digits() throws(AWSError) {
        let start = index
        while index < bytes.count, bytes[index].isDigit { index += 1 }
        guard index > start else { throw malformed }
    }

    private mutating func word(_ word: StaticString) throws(AWSError) {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count,
            bytes[index..<index + count].elementsEqual(UnsafeBufferPointer(start: word.utf8Start, count: count))
        else { throw malformed }
        index += count
    }

    private mutating func open(_ bracket: Unicode.Scalar) throws(AWSError) {
        guard take(bracket) else { throw wrongType }
        depth += 1
        guard depth <= Self.deepest else { throw .serialization("The body is nested too deeply.") }
    }

    private mutating func leave() { depth -= 1 }

    private var malformed: AWSError { .serialization("The body isn't valid JSON.") }
    private var wrongType: AWSError { index < bytes.count ? Self.wrongType : malformed }
    private static let wrongType = AWSError.serialization("The body is of the wrong type.")
}

extension UInt8 {
    /// The value of a hexadecimal digit.
    var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension String {
    /// A text in UTF-8; `nil` if the bytes are none. The standard library's initializer that validates is there for any
    /// encoding, and looks up its types anew for each text.
    init?(validUTF8 bytes: UnsafeBufferPointer<UInt8>) {
        self.init(decoding: bytes, as: UTF8.self)
        // What isn't UTF-8 was replaced.
        let isSame = utf8.withContiguousStorageIfAvailable { text in
            guard text.count == bytes.count else { return false }
            guard let own = text.baseAddress, let given = bytes.baseAddress else { return true }
            return memcmp(own, given, text.count) == 0
        }
        guard isSame == true else { return nil }
    }
}
