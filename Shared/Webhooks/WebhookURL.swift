import Foundation

/// Where webhooks can be sent: an `http:` or `https:` URL without credentials, whose host is a name or an address.
public struct WebhookURL: Sendable, Equatable, CustomStringConvertible {
    /// Why a text isn't one, in a sentence that says what to do.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    /// The URL as a whole.
    public let description: String
    /// Without the brackets of an address of version 6.
    public let host: String
    /// What belongs into the `Host` header.
    let authority: String

    /// Longer ones are refused.
    public static let longest = 2048

    /// Reads a URL.
    public init(_ text: String) throws(Malformed) {
        guard text.utf8.count <= Self.longest, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let url = URL(string: text), let scheme = url.scheme?.lowercased(), ["http", "https"].contains(scheme)
        else {
            throw Malformed(
                description: "It must be an http: or https: URL of at most \(Self.longest) ASCII characters.")
        }
        guard url.user == nil, url.password == nil else {
            throw Malformed(description: "It must not hold a user or a password; put a token into the path or query.")
        }
        guard url.fragment == nil else { throw Malformed(description: "It must not have a fragment (#…).") }
        guard let given = url.host(percentEncoded: true), !given.isEmpty, url.port.map((1...65_535).contains) ?? true
        else {
            throw Malformed(description: "It must name a host, and a port from 1 to 65535 if any.")
        }
        let bare = given.hasPrefix("[") && given.hasSuffix("]") ? String(given.dropFirst().dropLast()) : given
        if case .v6 = IPAddress(bare) {
            authority = "[\(bare)]" + (url.port.map { ":\($0)" } ?? "")
        } else {
            // Nothing that two parsers could read in two ways: what is checked must be what is connected to.
            guard given.utf8.allSatisfy(Self.isHostByte) else {
                throw Malformed(description: "Its host must be a name of letters, digits, - and ., or an address.")
            }
            authority = given + (url.port.map { ":\($0)" } ?? "")
        }
        host = bare
        description = text
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
