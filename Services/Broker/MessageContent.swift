import Crypto
import Foundation

/// What a message says, shared by all its copies and never changed.
final class MessageContent: Sendable {
    let body: String
    let bodyDigest: String
    /// Message attributes as the JSON object of the SQS protocol; `nil` if there are none.
    let attributes: String?
    let attributesDigest: String?
    /// Where, in UTF-8 bytes, the id of the subscription goes into an enveloped body: it is the only part in which the
    /// copies of a notification differ, so the body is stored once.
    let hole: Int?
    let sender: String
    let traceHeader: String?

    init(
        body: String, bodyDigest: String, attributes: String?, attributesDigest: String?, hole: Int? = nil,
        sender: String, traceHeader: String? = nil
    ) {
        self.body = body
        self.bodyDigest = bodyDigest
        self.attributes = attributes
        self.attributesDigest = attributesDigest
        self.hole = hole
        self.sender = sender
        self.traceHeader = traceHeader
    }

    convenience init(
        body: String, attributes: [String: MessageAttribute], hole: Int? = nil, sender: String,
        traceHeader: String? = nil
    ) {
        self.init(
            body: body, bodyDigest: Digest.md5(of: body),
            attributes: attributes.isEmpty ? nil : MessageAttribute.encode(attributes),
            attributesDigest: Digest.md5(of: attributes), hole: hole, sender: sender, traceHeader: traceHeader)
    }

    /// What it takes in memory, roughly.
    var size: Int { body.utf8.count + (attributes?.utf8.count ?? 0) + (traceHeader?.utf8.count ?? 0) + 128 }

    /// Body and digest as one receiver gets them.
    func rendered(for subscription: String?) -> (body: String, digest: String) {
        guard let hole, let subscription else { return (body, bodyDigest) }
        let bytes = body.utf8
        let index = bytes.index(bytes.startIndex, offsetBy: hole)
        let filled = String(body[..<index]) + subscription + String(body[index...])
        return (filled, Digest.md5(of: filled))
    }
}

/// The digests that SDKs compute themselves and compare.
enum Digest {
    static func md5(of text: String) -> String {
        var hash = Insecure.MD5()
        update(&hash, text)
        return hex(hash)
    }

    /// MD5OfMessageAttributes: the attributes sorted by name, each as name, type, a byte for the kind of the value (1
    /// text, 2 binary) and value; all but the kind with a length of four bytes, big-endian, in front.
    static func md5(of attributes: [String: MessageAttribute]) -> String? {
        guard !attributes.isEmpty else { return nil }
        var hash = Insecure.MD5()
        for (name, attribute) in attributes.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            updateWithLength(&hash, name)
            updateWithLength(&hash, attribute.type)
            switch attribute.value {
            case .text(let text):
                hash.update(data: [1])
                updateWithLength(&hash, text)
            case .binary(let data):
                hash.update(data: [2])
                hash.update(data: length(data.count))
                hash.update(data: data)
            }
        }
        return hex(hash)
    }

    /// In hexadecimal digits: the deduplication id of a content.
    static func sha256(of text: String) -> String { hex(SHA256.hash(data: Data(text.utf8))) }

    private static func update(_ hash: inout Insecure.MD5, _ text: String) {
        var text = text
        text.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }

    private static func updateWithLength(_ hash: inout Insecure.MD5, _ text: String) {
        hash.update(data: length(text.utf8.count))
        update(&hash, text)
    }

    private static func length(_ count: Int) -> [UInt8] {
        [
            UInt8(truncatingIfNeeded: count >> 24), UInt8(truncatingIfNeeded: count >> 16),
            UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count),
        ]
    }

    private static func hex(_ hash: Insecure.MD5) -> String { hex(hash.finalize()) }

    private static func hex(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 64) { buffer in
            var index = 0
            for byte in digest {
                buffer[index] = digits[Int(byte >> 4)]
                buffer[index + 1] = digits[Int(byte & 15)]
                index += 2
            }
            return index
        }
    }
}
