import Crypto
import Foundation

/// A symmetric key of the Standard Webhooks specification: `whsec_` and the base64 of 24 to 64 bytes.
public struct WebhookSecret: Sendable, Equatable, CustomStringConvertible {
    let key: SymmetricKey

    /// Reads a secret as it is written in configuration.
    /// - Returns: `nil` if it doesn't have the form above.
    public init?(_ text: String) {
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst("whsec_".count))),
            (24...64).contains(bytes.count)
        else { return nil }
        key = SymmetricKey(data: bytes)
    }

    private init(key: SymmetricKey) { self.key = key }

    /// A new one of 32 random bytes.
    public static func make() -> WebhookSecret { WebhookSecret(key: SymmetricKey(size: .bits256)) }

    /// The secret in the form above: to be stored, and to be shown to its owner once.
    public var exposed: String { "whsec_" + key.withUnsafeBytes { Data($0) }.base64EncodedString() }

    /// Never the secret itself, so that it can't slip into a log.
    public var description: String { "whsec_…" }
}
