import Foundation
import Synchronization

/// Ids of messages, requests and subscriptions: random UUIDs in lower case.
enum MessageID {
    static func make() -> String { MessageIDs().id(0) }

    /// The 16 bytes of an id.
    static func bytes(of id: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16)
        var digits = 0
        for byte in id.utf8 {
            guard let digit = byte.hexDigit, digits < 32 else { continue }
            bytes[digits / 2] |= digits.isMultiple(of: 2) ? digit << 4 : digit
            digits += 1
        }
        return bytes
    }
}

/// The ids of messages that came together: one random UUID, and in its last byte which of them it is.
struct MessageIDs: Sendable, Equatable {
    /// Sixteen.
    let bytes: [UInt8]

    private static let random = Mutex(RandomNumbers())

    init() {
        let (high, low) = Self.random.withLock { ($0.next(), $0.next()) }
        var bytes = [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            raw.storeBytes(of: high, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
            count = 16
        }
        // Version 4, variant 1 (RFC 9562).
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        self.bytes = bytes
    }

    init?(_ data: Data) {
        guard data.count == 16 else { return nil }
        bytes = [UInt8](data)
    }

    func id(_ index: Int) -> String {
        String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for (number, byte) in bytes.enumerated() {
                if number == 4 || number == 6 || number == 8 || number == 10 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let byte = number == 15 ? byte ^ UInt8(truncatingIfNeeded: index) : byte
                text[place] = Self.digit(byte >> 4)
                text[place + 1] = Self.digit(byte & 15)
                place += 2
            }
            return place
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// The generator xoshiro256++ (Blackman and Vigna), seeded by the system's, which takes a system call for each number.
/// Ids must differ, not be secret.
struct RandomNumbers: RandomNumberGenerator {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    init() {
        var system = SystemRandomNumberGenerator()
        state = (system.next(), system.next(), system.next(), system.next() | 1)
    }

    mutating func next() -> UInt64 {
        func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }
        let result = rotate(state.0 &+ state.3, 23) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }
}
