/// Writes the wire format of Protocol Buffers (protobuf.dev, "Encoding") field by field, straight into bytes.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 512) { self.bytes.reserveCapacity(capacity) }

    /// A field that is a message: `body` writes its fields.
    mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        self.tag(field, wireType: 2)
        // Its length comes first and is known last. That of most messages here takes one byte.
        let start = self.bytes.count
        self.bytes.append(0)
        body(&self)
        let length = self.bytes.count - start - 1
        if length < 0x80 {
            self.bytes[start] = UInt8(length)
        } else {
            var prefix = ProtobufWriter(capacity: 10)
            prefix.varint(UInt64(length))
            self.bytes.replaceSubrange(start...start, with: prefix.bytes)
        }
    }

    mutating func string(_ field: Int, _ value: String) {
        self.tag(field, wireType: 2)
        self.varint(UInt64(value.utf8.count))
        self.bytes.append(contentsOf: value.utf8)
    }

    /// A field of `bytes` that holds whole numbers, the highest byte first, as ids are written.
    mutating func bigEndian(_ field: Int, _ values: UInt64...) {
        self.tag(field, wireType: 2)
        self.varint(UInt64(values.count * 8))
        for value in values { self.eightBytes(value.bigEndian) }
    }

    /// An `enum`, a `bool` or an integer; negative ones take ten bytes.
    mutating func integer(_ field: Int, _ value: Int64) {
        self.tag(field, wireType: 0)
        self.varint(UInt64(bitPattern: value))
    }

    mutating func fixed64(_ field: Int, _ value: UInt64) {
        self.tag(field, wireType: 1)
        self.eightBytes(value.littleEndian)
    }

    mutating func double(_ field: Int, _ value: Double) { self.fixed64(field, value.bitPattern) }

    private mutating func tag(_ field: Int, wireType: UInt64) { self.varint(UInt64(field) << 3 | wireType) }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            self.bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.bytes.append(UInt8(rest))
    }

    private mutating func eightBytes(_ value: UInt64) {
        withUnsafeBytes(of: value) { self.bytes.append(contentsOf: $0) }
    }
}
