import Foundation

/// An address of the Internet Protocol, version 4 or 6.
public enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    /// Reads an address in its usual form: `192.0.2.1` or `2001:db8::1`, without brackets, port or zone.
    /// - Returns: `nil` for anything else; the shortened forms that some programs take, such as `127.1`, are names here.
    public init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self = .v4(UInt32(bigEndian: four.s_addr))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            self.init(six)
        } else {
            return nil
        }
    }

    init(_ address: in6_addr) {
        let words = withUnsafeBytes(of: address) { bytes in
            stride(from: 0, to: 16, by: 8).map {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self))
            }
        }
        self = .v6(high: words[0], low: words[1])
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch self {
        case .v4(let bits):
            var address = in_addr(s_addr: bits.bigEndian)
            inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
        case .v6(let high, let low):
            var words = (high.bigEndian, low.bigEndian)
            inet_ntop(AF_INET6, &words, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension IPAddress {
    /// Who can be meant by an address.
    public enum Reach: Equatable, Sendable {
        /// Somebody on the internet.
        case global
        /// This machine.
        case loopback
        /// Somebody in a network of our own, or nobody: private, link-local, shared, multicast, reserved.
        case restricted
    }

    /// By the registries of special-purpose addresses (RFC 6890) as IANA keeps them.
    public var reach: Reach {
        switch self {
        case .v4(let bits): Self.reach(of: bits)
        case .v6(let high, let low): Self.reach(high, low)
        }
    }

    /// Network and length of what isn't global in version 4.
    private static let restrictedV4: [(UInt32, Int)] = [
        (0x0000_0000, 8),  // 0.0.0.0/8, this network; Linux connects 0.0.0.0 to itself
        (0x0A00_0000, 8),  // 10.0.0.0/8, private
        (0x6440_0000, 10),  // 100.64.0.0/10, shared by carriers
        (0xA9FE_0000, 16),  // 169.254.0.0/16, link-local; the metadata of clouds
        (0xAC10_0000, 12),  // 172.16.0.0/12, private
        (0xC000_0000, 24),  // 192.0.0.0/24, protocol assignments
        (0xC000_0200, 24),  // 192.0.2.0/24, documentation
        (0xC058_6300, 24),  // 192.88.99.0/24, 6to4 relays
        (0xC0A8_0000, 16),  // 192.168.0.0/16, private
        (0xC612_0000, 15),  // 198.18.0.0/15, benchmarks
        (0xC633_6400, 24),  // 198.51.100.0/24, documentation
        (0xCB00_7100, 24),  // 203.0.113.0/24, documentation
        (0xE000_0000, 3),  // 224.0.0.0/3, multicast, reserved, broadcast
    ]

    private static func reach(of bits: UInt32) -> Reach {
        if bits >> 24 == 127 { return .loopback }
        return restrictedV4.contains { network, length in (bits ^ network) >> (32 - length) == 0 }
            ? .restricted : .global
    }

    /// Of version 6, only 2000::/3 is handed out; these parts of it aren't global, or lead elsewhere.
    private static let restrictedV6: [(UInt64, Int)] = [
        (0x2001_0000_0000_0000, 23),  // 2001::/23, protocol assignments, Teredo among them
        (0x2001_0DB8_0000_0000, 32),  // documentation
        (0x2002_0000_0000_0000, 16),  // 6to4, which has an address of version 4 inside
        (0x3FFF_0000_0000_0000, 20),  // documentation
    ]

    private static func reach(_ high: UInt64, _ low: UInt64) -> Reach {
        let inner = UInt32(truncatingIfNeeded: low)
        // ::ffff:0:0/96 is version 4 in another form, and so is 64:ff9b::/96 behind a translator.
        if high == 0, low >> 32 == 0xFFFF { return reach(of: inner) }
        if high == 0x0064_FF9B_0000_0000, low >> 32 == 0 { return reach(of: inner) == .global ? .global : .restricted }
        if high == 0, low == 1 { return .loopback }
        guard high >> 61 == 0b001 else { return .restricted }
        return restrictedV6.contains { network, length in (high ^ network) >> (64 - length) == 0 }
            ? .restricted : .global
    }
}
