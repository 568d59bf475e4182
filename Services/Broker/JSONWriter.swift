/// Writes JSON text without an intermediate tree, for the answers that carry messages.
struct JSONWriter: Sendable {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(capacity: Int = 512) { bytes.reserveCapacity(capacity) }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func object(_ members: (inout JSONWriter) -> Void) {
        open("{")
        members(&self)
        close("}")
    }

    /// An object or array element for each item of a list.
    mutating func object<Key, Value>(
        _ items: some Sequence<(key: Key, value: Value)>, _ each: (inout JSONWriter, Key, Value) -> Void
    ) {
        open("{")
        for (key, value) in items { each(&self, key, value) }
        close("}")
    }

    mutating func array<Item>(_ items: some Sequence<Item>, _ each: (inout JSONWriter, Item) -> Void) {
        open("[")
        for item in items { each(&self, item) }
        close("]")
    }

    mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func string(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }

    /// Puts JSON text in as it is.
    mutating func raw(_ json: String) {
        separate()
        bytes.append(contentsOf: json.utf8)
        needsComma = true
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: String, _ value: String?) {
        if let value { member(name, value) }
    }

    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        raw(value ? "true" : "false")
    }

    mutating func member(_ name: String, _ value: Int) {
        key(name)
        raw(String(value))
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func quote(_ value: String) {
        var value = value
        bytes.append(UInt8(ascii: "\""))
        value.withUTF8 { text in
            var rest = text[...]
            while !rest.isEmpty {
                append(escaping: UnsafeBufferPointer(rebasing: rest.prefix(Self.pieceSize)))
                rest = rest.dropFirst(Self.pieceSize)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// So that its escaped form, which may be six times as long, fits on the stack.
    private static let pieceSize = 160

    private mutating func append(escaping piece: UnsafeBufferPointer<UInt8>) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 6 * piece.count) { escaped in
            var count = 0
            for byte in piece {
                // Bodies are often JSON, where nobody foresees the next quotation mark: so it takes no branch.
                let backslashes = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") ? 1 : 0
                escaped[count] = UInt8(ascii: "\\")
                escaped[count &+ backslashes] = byte
                count &+= 1 &+ backslashes
                if byte < 0x20 {
                    count &-= 1
                    Self.escape(control: byte, into: escaped, &count)
                }
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: escaped[..<count]))
        }
    }

    /// Writes up to six bytes.
    private static func escape(
        control byte: UInt8, into text: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int
    ) {
        func append(_ byte: UInt8) {
            text[count] = byte
            count += 1
        }
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0D: append(UInt8(ascii: "r"))
        case 0x09: append(UInt8(ascii: "t"))
        default:
            for digit in "u00".utf8 { append(digit) }
            append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            append(byte & 15 < 10 ? UInt8(ascii: "0") + byte & 15 : UInt8(ascii: "a") + byte & 15 - 10)
        }
    }
}
