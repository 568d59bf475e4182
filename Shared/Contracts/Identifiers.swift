import Foundation

/// A typed id: a string on the wire, in the database and in logs, but not to be mixed up with another kind of id.
public protocol Identifier: RawRepresentable, Codable, Hashable, Sendable, CustomStringConvertible,
    ExpressibleByStringLiteral
where RawValue == String {
    init(rawValue: String)
}

extension Identifier {
    public init(stringLiteral value: String) { self.init(rawValue: value) }
    public var description: String { rawValue }

    public init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// An order; made by the order service as a UUIDv7.
public struct OrderID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A new id, later in sort order than those made before.
    public static func make() -> OrderID { OrderID(rawValue: UUIDv7.make()) }
}

/// A customer; any name that the caller uses for one.
public struct CustomerID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// A stock keeping unit: the id of a product.
public struct SKU: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// A charge; made by payment as a UUIDv7 and used as the idempotency key towards the gateway.
public struct ChargeID: Identifier {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    /// A new id.
    public static func make() -> ChargeID { ChargeID(rawValue: UUIDv7.make()) }
}

/// UUIDs that sort by the time at which they were made (RFC 9562 section 5.7).
public enum UUIDv7 {
    /// A new one in lower case: 48 bits of milliseconds since 1970, then 74 random bits.
    public static func make(at time: Date = Date()) -> String {
        let milliseconds = UInt64(time.timeIntervalSince1970 * 1000)
        var bytes = (0..<6).map { UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64($0))) }
        bytes += (0..<10).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0F | 0x70
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = bytes.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 0x0F, radix: 16)
        }
        return [hex[0..<4], hex[4..<6], hex[6..<8], hex[8..<10], hex[10..<16]]
            .map { $0.joined() }.joined(separator: "-")
    }
}
