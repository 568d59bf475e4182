import Crypto
public import Foundation

/// The SHA-256 of a request in the form that its signer and its receiver agree on (AWS General Reference, "Create a
/// signed AWS API request", steps 1 and 2).
public struct CanonicalRequest: Sendable {
    let hash: SHA256.Digest

    /// - Parameters:
    ///   - method: `POST`.
    ///   - path: as it is on the wire, still percent-encoded.
    ///   - query: as it is on the wire, without the parameter that carries the signature.
    ///   - headers: those that are signed, in the order of their lower-case names.
    ///   - body: the whole payload.
    public init(
        method: String, path: String = "/", query: String = "", headers: [(name: String, value: String)],
        body: some DataProtocol
    ) {
        var text: [UInt8] = []
        text.reserveCapacity(1024)
        text.append(contentsOf: method.utf8)
        text.append(.newline)
        Self.append(path: path, to: &text)
        text.append(.newline)
        if !query.isEmpty { text.append(contentsOf: Self.canonical(query: query).utf8) }
        text.append(.newline)
        for (name, value) in headers {
            text.append(contentsOf: name.utf8)
            text.append(UInt8(ascii: ":"))
            Self.append(value: value, to: &text)
            text.append(.newline)
        }
        text.append(.newline)
        for (index, header) in headers.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ";")) }
            text.append(contentsOf: header.name.utf8)
        }
        text.append(.newline)
        text.append(hexOf: SHA256.hash(data: body))
        hash = SHA256.hash(data: text)
    }

    /// A path without `.`, `..` and empty segments, encoded once more than on the wire, as all services but S3 want it.
    private static func append(path: String, to text: inout [UInt8]) {
        guard path != "/" else { return text.append(UInt8(ascii: "/")) }
        var segments: [Substring] = []
        for segment in path.split(separator: "/") where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        for segment in segments {
            text.append(UInt8(ascii: "/"))
            PercentEncoding.append(segment.utf8, to: &text)
        }
        if segments.isEmpty || path.hasSuffix("/") { text.append(UInt8(ascii: "/")) }
    }

    /// The parameters in the order of their names and values, encoded strictly however the client encoded them.
    private static func canonical(query: String) -> String {
        let pairs = query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                PercentEncoding.normalized(parts[0].utf8),
                PercentEncoding.normalized((parts.dropFirst().first ?? "").utf8)
            )
        }
        return pairs.sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// A value without spaces around it, and with one where there are several.
    private static func append(value: String, to text: inout [UInt8]) {
        let start = text.count
        for byte in value.utf8 {
            let isSpace = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
            if !isSpace {
                text.append(byte)
            } else if text.count > start, text.last != UInt8(ascii: " ") {
                text.append(UInt8(ascii: " "))
            }
        }
        if text.count > start, text.last == UInt8(ascii: " ") { text.removeLast() }
    }
}

/// Percent-encoding as AWS wants it: everything but letters, digits, `-`, `.`, `_` and `~`, with capital digits.
public enum PercentEncoding {
    /// Appends bytes, encoded, to a text in UTF-8.
    public static func append(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.append(byte)
            default:
                text.append(UInt8(ascii: "%"))
                text.append(hexDigit(byte >> 4))
                text.append(hexDigit(byte & 0x0F))
            }
        }
    }

    /// The same text of a query, encoded like this. A `+` is a space; a `%` that begins no escape stands for itself.
    static func normalized(_ bytes: Substring.UTF8View) -> String {
        var decoded: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let escaped = UInt8(hexOf: rest.prefix(2)) {
                decoded.append(escaped)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        var text: [UInt8] = []
        append(decoded, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}

extension UInt8 {
    fileprivate static let newline = UInt8(ascii: "\n")

    /// What a hexadecimal digit stands for; `nil` for any other byte.
    var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Exactly two hexadecimal digits.
    init?(hexOf digits: some Sequence<UInt8>) {
        var value: UInt8 = 0
        var count = 0
        for digit in digits {
            guard let digit = digit.hexValue else { return nil }
            value = value << 4 | digit
            count += 1
        }
        guard count == 2 else { return nil }
        self = value
    }
}

extension [UInt8] {
    /// Lower-case digits.
    mutating func append(hexOf digest: some ContiguousBytes) {
        func digit(_ value: UInt8) -> UInt8 {
            value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
        }
        digest.withUnsafeBytes { bytes in
            for byte in bytes {
                append(digit(byte >> 4))
                append(digit(byte & 0x0F))
            }
        }
    }
}
