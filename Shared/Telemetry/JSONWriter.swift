import Foundation

/// Writes JSON straight into bytes. Logs and spans are written at a rate at which `JSONEncoder` and its intermediate
/// values would be felt.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(capacity: Int = 512) {
        self.bytes.reserveCapacity(capacity)
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        self.container(open: "{", close: "}", body)
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        self.container(open: "[", close: "]", body)
    }

    mutating func key(_ name: String) {
        self.separate()
        self.escaped(name)
        self.bytes.append(UInt8(ascii: ":"))
        self.needsComma = false
    }

    mutating func string(_ value: String) {
        self.separate()
        self.escaped(value)
    }

    /// A literal that needs no escaping: a number, true, false.
    mutating func literal(_ value: some CustomStringConvertible) {
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
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""): self.escape("\"")
            case UInt8(ascii: "\\"): self.escape("\\")
            case UInt8(ascii: "\n"): self.escape("n")
            case UInt8(ascii: "\r"): self.escape("r")
            case UInt8(ascii: "\t"): self.escape("t")
            case 0..<0x20, 0x7f:
                let digits = Array("0123456789abcdef".utf8)
                self.bytes.append(contentsOf: "\\u00".utf8)
                self.bytes.append(digits[Int(byte >> 4)])
                self.bytes.append(digits[Int(byte & 0xf)])
            default: self.bytes.append(byte)
            }
        }
        self.bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ character: Unicode.Scalar) {
        self.bytes.append(UInt8(ascii: "\\"))
        self.bytes.append(UInt8(ascii: character))
    }
}
