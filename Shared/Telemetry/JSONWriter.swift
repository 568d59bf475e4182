import Foundation

/// Writes JSON (RFC 8259) straight into bytes. Logs and spans are written at a rate at which `JSONEncoder` and its
/// intermediate values would be felt.
public struct JSONWriter {
    /// What was written so far, in UTF-8.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// - Parameter capacity: how many bytes are likely to come.
    public init(capacity: Int = 512) {
        self.bytes.reserveCapacity(capacity)
    }

    /// An object: `body` writes a ``key(_:)`` and a value for each member.
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        self.container(open: "{", close: "}", body)
    }

    /// An array: `body` writes the values.
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        self.container(open: "[", close: "]", body)
    }

    /// The name of a member; its value comes next.
    public mutating func key(_ name: String) {
        self.separate()
        self.escaped(name)
        self.bytes.append(UInt8(ascii: ":"))
        self.needsComma = false
    }

    /// A string, escaped as far as it has to be.
    public mutating func string(_ value: String) {
        self.separate()
        self.escaped(value)
    }

    /// A literal that needs no escaping: a finite number, true, false, null.
    public mutating func literal(_ value: some CustomStringConvertible) {
        self.separate()
        self.bytes.append(contentsOf: value.description.utf8)
    }

    mutating func field(_ name: String, _ value: String) {
        self.key(name)
        self.string(value)
    }

    mutating func newline() {
        self.bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func container(
        open: Unicode.Scalar, close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void
    ) {
        self.separate()
        self.bytes.append(UInt8(ascii: open))
        self.needsComma = false
        body(&self)
        self.bytes.append(UInt8(ascii: close))
        self.needsComma = true
    }

    private mutating func separate() {
        if self.needsComma { self.bytes.append(UInt8(ascii: ",")) }
        self.needsComma = true
    }

    /// RFC 8259, section 7: quotation mark, reverse solidus and control characters are escaped; the rest is UTF-8.
    private mutating func escaped(_ value: String) {
        self.bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { text in
            var start = 0
            for (index, byte) in text.enumerated() where Self.mustBeEscaped(byte) {
                self.bytes.append(contentsOf: text[start..<index])
                self.escaped(byte)
                start = index + 1
            }
            self.bytes.append(contentsOf: text[start...])
        }
        self.bytes.append(UInt8(ascii: "\""))
    }

    private static func mustBeEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func escaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): self.escape("\"")
        case UInt8(ascii: "\\"): self.escape("\\")
        case UInt8(ascii: "\n"): self.escape("n")
        case UInt8(ascii: "\r"): self.escape("r")
        case UInt8(ascii: "\t"): self.escape("t")
        default:
            let digits = Array("0123456789abcdef".utf8)
            self.bytes.append(contentsOf: "\\u00".utf8)
            self.bytes.append(digits[Int(byte >> 4)])
            self.bytes.append(digits[Int(byte & 0xf)])
        }
    }

    private mutating func escape(_ character: Unicode.Scalar) {
        self.bytes.append(UInt8(ascii: "\\"))
        self.bytes.append(UInt8(ascii: character))
    }
}
