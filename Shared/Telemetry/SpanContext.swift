import Foundation

/// The 16 bytes that name a trace; never all zero.
public struct TraceID: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    /// 32 lowercase hexadecimal digits, as W3C Trace Context writes it.
    public var description: String { hexadecimal(self.high) + hexadecimal(self.low) }

    init?(hex: Substring) {
        let middle = hex.index(hex.startIndex, offsetBy: 16, limitedBy: hex.endIndex) ?? hex.endIndex
        guard let high = parseHexadecimal(hex[..<middle], digits: 16),
            let low = parseHexadecimal(hex[middle...], digits: 16), high | low != 0
        else { return nil }
        self.high = high
        self.low = low
    }

    init() {
        self.high = .random(in: 0 ... .max)
        self.low = .random(in: 1 ... .max)
    }
}

/// The 8 bytes that name a span within its trace; never all zero.
public struct SpanID: Hashable, Sendable, CustomStringConvertible {
    let value: UInt64

    /// 16 lowercase hexadecimal digits.
    public var description: String { hexadecimal(self.value) }

    init?(hex: Substring) {
        guard let value = parseHexadecimal(hex, digits: 16), value != 0 else { return nil }
        self.value = value
    }

    init() {
        self.value = .random(in: 1 ... .max)
    }
}

/// What one process tells the next about the span it is in: W3C Trace Context, level 1
/// (https://www.w3.org/TR/trace-context-1/).
public struct SpanContext: Hashable, Sendable {
    /// The trace that the span belongs to.
    public let traceID: TraceID
    /// The span itself.
    public let spanID: SpanID
    /// Whether the caller records the trace.
    public let isSampled: Bool
    /// The vendors' own state, passed on as it came.
    public let tracestate: String?

    init(traceID: TraceID = TraceID(), spanID: SpanID = SpanID(), isSampled: Bool = true, tracestate: String? = nil) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.tracestate = tracestate
    }

    /// Reads the values of the `traceparent` and `tracestate` headers.
    ///
    /// - Returns: nil for anything that section 3.2 of the specification calls invalid; the trace then starts anew.
    public init?(traceparent: String, tracestate: String? = nil) {
        let parts = traceparent.split(separator: "-", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count >= 4,
            let version = parseHexadecimal(parts[0], digits: 2), version != 0xff,
            // Version 00 has four fields; a later one may have more, which section 3.2.4 asks us to skip.
            version > 0 || parts.count == 4,
            let traceID = TraceID(hex: parts[1]),
            let spanID = SpanID(hex: parts[2]),
            let flags = parseHexadecimal(parts[3], digits: 2)
        else { return nil }
        self.init(
            traceID: traceID, spanID: spanID, isSampled: flags & 1 == 1,
            tracestate: tracestate.flatMap(SpanContext.usableTracestate))
    }

    /// The value of the `traceparent` header.
    public var traceparent: String {
        "00-\(self.traceID)-\(self.spanID)-\(self.isSampled ? "01" : "00")"
    }

    /// Section 3.3.1.5 asks for at least 512 characters to be passed on; more is somebody's mistake.
    private static func usableTracestate(_ value: String) -> String? {
        let isUsable = (1...512).contains(value.utf8.count) && value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        return isUsable ? value : nil
    }
}

private func hexadecimal(_ value: UInt64) -> String {
    String(unsafeUninitializedCapacity: 16) { digits in
        for index in 0..<16 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 0xf
            digits[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
        return 16
    }
}

/// Lowercase digits only and exactly so many: `UInt64(_:radix:)` alone would take "+1" and "AB".
private func parseHexadecimal(_ text: Substring, digits: Int) -> UInt64? {
    guard text.utf8.count == digits else { return nil }
    var value: UInt64 = 0
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
        default: return nil
        }
    }
    return value
}
