import Foundation

/// How the contents of a batch are stored: the fields of each, one after another, as netstrings (`5:hello,` without the
/// comma). So they can be read in the file, and were made by SQL alone from what older versions stored.
enum ContentCoding {
    static func encode(_ contents: [MessageContent]) -> Data {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(contents.reduce(0) { $0 + $1.size + 64 })
        for content in contents {
            append(content.body, to: &bytes)
            append(content.bodyDigest, to: &bytes)
            append(content.attributes ?? "", to: &bytes)
            append(content.attributesDigest ?? "", to: &bytes)
            append(content.hole.map(String.init) ?? "", to: &bytes)
            append(content.sender, to: &bytes)
            append(content.traceHeader ?? "", to: &bytes)
        }
        return Data(bytes)
    }

    private static func append(_ field: String, to bytes: inout [UInt8]) {
        let utf8 = field.utf8
        bytes.append(contentsOf: String(utf8.count).utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: utf8)
    }

    /// - Throws: `InternalFailure` if the bytes aren't what `encode` makes.
    static func decode(_ data: Data) throws(AWSError) -> [MessageContent] {
        var fields = Fields(bytes: [UInt8](data)[...])
        var contents: [MessageContent] = []
        while !fields.bytes.isEmpty {
            let body = try fields.next()
            let digest = try fields.next()
            let attributes = try fields.next()
            let attributesDigest = try fields.next()
            let hole = try fields.next()
            let sender = try fields.next()
            let trace = try fields.next()
            contents.append(
                MessageContent(
                    body: body, bodyDigest: digest, attributes: attributes.isEmpty ? nil : attributes,
                    attributesDigest: attributesDigest.isEmpty ? nil : attributesDigest, hole: Int(hole),
                    sender: sender, traceHeader: trace.isEmpty ? nil : trace))
        }
        return contents
    }

    private struct Fields {
        var bytes: ArraySlice<UInt8>

        mutating func next() throws(AWSError) -> String {
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
                let count = Int(String(decoding: bytes[..<colon], as: UTF8.self)), count >= 0,
                bytes.endIndex - colon > count
            else { throw .internalFailure }
            let field = bytes[(colon + 1)..<(colon + 1 + count)]
            bytes = bytes[field.endIndex...]
            return String(decoding: field, as: UTF8.self)
        }
    }
}
