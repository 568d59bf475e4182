import Crypto
public import Foundation

/// The key that signs what one client sends to one service of one region on one day.
///
/// It is derived from the secret in four steps, which cost more than a signature: keep it as long as the day lasts.
public struct SigningKey: Sendable {
    /// `20260301/us-east-1/sqs/aws4_request`
    public let scope: String
    /// Before its first byte, so that the key is not worked in again for each request.
    private let keyed: HMAC<SHA256>

    /// - Parameters:
    ///   - day: `20260301`, in UTC.
    ///   - region: `us-east-1`.
    ///   - service: the signing name, `sqs` or `sns`.
    public init(secretAccessKey: String, day: String, region: String, service: String) {
        scope = "\(day)/\(region)/\(service)/aws4_request"
        let secret = SymmetricKey(data: Data("AWS4\(secretAccessKey)".utf8))
        let key = [day, region, service, "aws4_request"].reduce(secret) { key, part in
            SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        keyed = HMAC<SHA256>(key: key)
    }

    /// The signature, in hexadecimal.
    ///
    /// - Parameter stamp: when the request was signed, as ``timestamp(_:)`` writes it.
    public func signature(of request: CanonicalRequest, stamp: String) -> String {
        var text: [UInt8] = []
        text.append(hexOf: code(of: request, stamp))
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether a signature is this key's. How long it takes tells nothing about how much of it was right.
    public func isValid(_ signature: some StringProtocol, of request: CanonicalRequest, stamp: String) -> Bool {
        var claimed: [UInt8] = []
        claimed.reserveCapacity(SHA256.byteCount)
        var high: UInt8?
        for digit in signature.utf8 {
            guard let value = digit.hexValue, claimed.count < SHA256.byteCount else { return false }
            if let first = high { claimed.append(first << 4 | value) }
            high = high == nil ? value : nil
        }
        guard high == nil else { return false }
        return code(of: request, stamp) == claimed
    }

    /// `20260301T120000Z`.
    public static func timestamp(_ time: Date) -> String {
        time.formatted(Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted))
    }

    private func code(of request: CanonicalRequest, _ stamp: String) -> HMAC<SHA256>.MAC {
        var text: [UInt8] = []
        text.reserveCapacity(192)
        text.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
        text.append(contentsOf: stamp.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: scope.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(hexOf: request.hash)
        var code = keyed
        code.update(data: text)
        return code.finalize()
    }
}
