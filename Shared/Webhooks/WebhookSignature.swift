import Crypto
import Foundation

/// Signs and verifies webhooks as the Standard Webhooks specification says (symmetric signatures, `v1`).
public enum WebhookSignature {
    /// The headers of a signed webhook.
    public enum Header {
        public static let id = "webhook-id"
        public static let timestamp = "webhook-timestamp"
        public static let signature = "webhook-signature"
    }

    /// Why a webhook isn't believed.
    public enum Failure: Error, Equatable {
        /// One of the three headers is missing or not in its form.
        case malformed(header: String)
        /// The timestamp is further from now than the tolerance, which a replayed message would be.
        case outsideTolerance
        /// No signature matches the body.
        case mismatch
    }

    /// How far a timestamp may be from the receiver's clock, in either direction.
    public static let tolerance: Duration = .seconds(300)

    /// The value of the `webhook-signature` header: `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`;
    /// one for each secret, separated by spaces, so that a secret can be rotated.
    public static func sign(id: String, timestamp: Date, body: Data, secrets: [WebhookSecret]) -> String {
        let content = signedContent(id: id, seconds: Int64(timestamp.timeIntervalSince1970), body: body)
        return secrets.map { secret in
            "v1," + Data(HMAC<SHA256>.authenticationCode(for: content, using: secret.key)).base64EncodedString()
        }.joined(separator: " ")
    }

    /// Checks a webhook that was received.
    /// - Parameters:
    ///   - header: gives the value of a header by its lower-case name.
    ///   - body: the bytes as received, before any parsing.
    ///   - now: the receiver's time.
    /// - Returns: the webhook's id, the same for each attempt to deliver it, by which a receiver recognises duplicates.
    /// - Throws: ``Failure``.
    public static func verify(
        header: (String) -> String?, body: Data, secret: WebhookSecret, now: Date
    ) throws(Failure) -> String {
        guard let id = header(Header.id), !id.isEmpty, id.utf8.count <= 256 else {
            throw .malformed(header: Header.id)
        }
        guard let stamp = header(Header.timestamp), let seconds = Int64(stamp) else {
            throw .malformed(header: Header.timestamp)
        }
        guard let signatures = header(Header.signature) else { throw .malformed(header: Header.signature) }
        let age = now.timeIntervalSince1970 - Double(seconds)
        guard abs(age) <= Double(tolerance.components.seconds) else { throw .outsideTolerance }
        let content = signedContent(id: id, seconds: seconds, body: body)
        let matches = signatures.split(separator: " ").contains { signature in
            // The comparison takes the same time wherever two codes differ.
            signature.hasPrefix("v1,")
                && Data(base64Encoded: String(signature.dropFirst(3))).map { code in
                    HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: secret.key)
                } == true
        }
        guard matches else { throw .mismatch }
        return id
    }

    private static func signedContent(id: String, seconds: Int64, body: Data) -> Data {
        Data("\(id).\(seconds).".utf8) + body
    }
}
