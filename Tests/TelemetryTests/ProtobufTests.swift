import TestSupport
import Testing

@testable import Telemetry

@Suite("Protocol Buffers' wire format") struct ProtobufTests {
    private func fields(_ bytes: [UInt8]) throws -> [Int: ProtobufReader.Value] {
        var reader = ProtobufReader(bytes[...])
        var fields: [Int: ProtobufReader.Value] = [:]
        while let (number, value) = try reader.next() { fields[number] = value }
        return fields
    }

    @Test("Each wire type that messages of today have is read") func types() throws {
        // The examples of protobuf.dev's "Encoding".
        #expect(try fields([0x08, 0x96, 0x01]) == [1: .varint(150)])
        #expect(try fields([0x12, 0x02, 0x68, 0x69]) == [2: .bytes([0x68, 0x69])])
        #expect(try fields([0x19, 1, 0, 0, 0, 0, 0, 0, 0x80]) == [3: .fixed64(0x8000_0000_0000_0001)])
        #expect(try fields([0x25, 1, 2, 3, 4]) == [4: .fixed32(0x0403_0201)])
        let most = [UInt8](repeating: 0xff, count: 9)
        #expect(try fields([0x08] + most + [0x01]) == [1: .varint(.max)])
    }

    @Test(
        "What ends too early, is too long or has a wire type that doesn't exist is malformed",
        arguments: [
            [0x08], [0x08, 0x80], [0x12, 0x05, 0x68], [0x19, 1, 2], [0x25, 1], [0x0b], [0x0e, 1], [0x00, 1],
            [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] as [[UInt8]])
    func malformed(bytes: [UInt8]) {
        #expect(throws: ProtobufReader.Malformed.self) { try fields(bytes) }
    }

    @Test("What is written is what is read, whatever its length") func roundTrip() throws {
        for count in [0, 1, 125, 126, 127, 128, 16_379, 16_380, 16_383, 16_384] {
            var writer = ProtobufWriter()
            writer.message(1) { outer in
                outer.message(2) { $0.string(3, String(repeating: "x", count: count)) }
                outer.integer(4, .min)
                outer.fixed64(5, .max)
                outer.double(6, -0.5)
                outer.bigEndian(7, 0x0102_0304_0506_0708, 9)
            }
            let outer = try #require(try ProtobufMessage(writer.bytes).messages(1).first)
            #expect(try outer.messages(2).first?.text(3)?.utf8.count == count)
            #expect(outer.number(4) == 1 << 63)
            #expect(outer.number(5) == .max)
            #expect(outer.number(6) == (-0.5).bitPattern)
            #expect(outer.hex(7) == "01020304050607080000000000000009")
        }
    }
}
