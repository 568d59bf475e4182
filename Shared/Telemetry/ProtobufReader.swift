/// Reads the wire format of Protocol Buffers (protobuf.dev, "Encoding") field by field, without a copy.
public struct ProtobufReader {
    /// What a field holds, by its wire type; only the message's definition tells more.
    public enum Value: Equatable, Sendable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        /// A string, bytes, a message or packed numbers.
        case bytes(ArraySlice<UInt8>)
    }

    /// The bytes are no message.
    public struct Malformed: Error {
        /// For those who find that a field isn't of the type that they know it by.
        public init() {}
    }

    private var rest: ArraySlice<UInt8>

    /// Reads a message from its first byte to its last.
    public init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next field; `nil` at the end of the message.
    public mutating func next() throws(Malformed) -> (number: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try varint()
        let number = Int(truncatingIfNeeded: tag >> 3)
        guard number > 0, tag <= UInt64(UInt32.max) else { throw Malformed() }
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1: return (number, .fixed64(try littleEndian(8)))
        case 2:
            let length = try varint()
            guard length <= UInt64(rest.count) else { throw Malformed() }
            return (number, .bytes(take(Int(length))))
        case 5: return (number, .fixed32(UInt32(try littleEndian(4))))
        // Groups, which no message of today has, and wire types that don't exist.
        default: throw Malformed()
        }
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func littleEndian(_ count: Int) throws(Malformed) -> UInt64 {
        guard rest.count >= count else { throw Malformed() }
        var value: UInt64 = 0
        for byte in take(count).reversed() { value = value << 8 | UInt64(byte) }
        return value
    }

    private mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw Malformed() }
            let bits = UInt64(byte & 0x7f)
            // The tenth byte has room for one bit.
            guard shift < 63 || bits <= 1 else { throw Malformed() }
            value |= bits << UInt64(shift)
            if byte & 0x80 == 0 { return value }
        }
        throw Malformed()
    }
}
