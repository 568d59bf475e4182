/// A span as the console keeps it, whichever form it came in.
struct SpanRecord: Equatable, Sendable {
    enum Kind: String, Codable, Sendable, CaseIterable {
        case unspecified, `internal`, server, client, producer, consumer

        /// By the numbers of OTLP's `SpanKind`; one that is unknown counts as unspecified.
        init(otlp number: Int) {
            self = Self.allCases.indices.contains(number) ? Self.allCases[number] : .unspecified
        }
    }

    enum Status: String, Codable, Sendable, CaseIterable {
        case unset, ok, error

        init(otlp number: Int) {
            self = Self.allCases.indices.contains(number) ? Self.allCases[number] : .unset
        }
    }

    struct Event: Codable, Equatable, Sendable {
        var name: String
        var nanoseconds: Int64
        var attributes: [String: JSONValue]
    }

    /// 32 hexadecimal digits in lower case.
    var traceID: String
    /// 16 hexadecimal digits in lower case.
    var spanID: String
    var parentSpanID: String?
    var service: String
    var name: String
    var kind: Kind
    /// Since 1970.
    var startNanoseconds: Int64
    var endNanoseconds: Int64
    var status: Status
    var statusMessage: String?
    var attributes: [String: JSONValue]
    var events: [Event]

    var correlationID: String? { attributes["shop.correlation_id"]?.string }
    var orderID: String? { attributes["shop.order_id"]?.string }
}

/// Spans as they came in one request, with how many of them were no use.
struct SpanBatch: Equatable, Sendable {
    var spans: [SpanRecord] = []
    /// Spans without a valid id.
    var rejected = 0
}

/// Ids of spans and traces (W3C Trace Context): hexadecimal, of a fixed length, not all zero.
enum HexID {
    static func trace(_ text: String) -> String? { valid(text, digits: 32) }
    static func span(_ text: String) -> String? { valid(text, digits: 16) }

    static func hex(_ bytes: some Collection<UInt8>) -> String {
        String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digit(byte >> 4)
                text[2 * index + 1] = digit(byte & 0xf)
            }
            return 2 * bytes.count
        }
    }

    static func random(_ count: Int) -> String { hex((0..<count).map { _ in UInt8.random(in: 1 ... .max) }) }

    private static func valid(_ text: String, digits: Int) -> String? {
        let isHex = text.utf8.count == digits && text.utf8.allSatisfy(\.isHexDigit)
        return isHex && text.utf8.contains { $0 != UInt8(ascii: "0") } ? text.lowercased() : nil
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
