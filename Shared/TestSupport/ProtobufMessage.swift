import Telemetry

/// A message in the wire format of Protocol Buffers, looked at by the numbers of its fields.
public struct ProtobufMessage {
    private var fields: [Int: [ProtobufReader.Value]] = [:]

    /// Reads a message.
    /// - Throws: `ProtobufReader.Malformed`.
    public init(_ bytes: some Sequence<UInt8>) throws {
        var reader = ProtobufReader(Array(bytes)[...])
        while let (number, value) = try reader.next() { fields[number, default: []].append(value) }
    }

    /// The messages in a field, or, by the fields on the way, in those of the messages in it.
    public func messages(_ path: Int...) throws -> [ProtobufMessage] {
        try path.reduce([self]) { messages, number in
            try messages.flatMap { try ($0.fields[number] ?? []).compactMap(\.bytes).map(ProtobufMessage.init) }
        }
    }

    /// The text in a field.
    public func text(_ number: Int) -> String? {
        fields[number]?.last?.bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes in a field, in hexadecimal.
    public func hex(_ number: Int) -> String? {
        fields[number]?.last?.bytes?.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The bits of a number in a field.
    public func number(_ number: Int) -> UInt64? {
        switch fields[number]?.last {
        case .varint(let bits), .fixed64(let bits): bits
        case .fixed32(let bits): UInt64(bits)
        case .bytes, nil: nil
        }
    }
}

extension ProtobufReader.Value {
    fileprivate var bytes: ArraySlice<UInt8>? {
        guard case .bytes(let bytes) = self else { return nil }
        return bytes
    }
}
