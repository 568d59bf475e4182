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
        var fields = Fields([UInt8](data))
        var contents: [MessageContent] = []
        while !fields.isAtEnd {
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
        let bytes: [UInt8]
        private var place = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { place == bytes.count }

        mutating func next() throws(AWSError) -> String {
            var count = 0
            var colon = place
            while colon < bytes.count, colon - place < 9, bytes[colon].isDigit {
                count = count * 10 + Int(bytes[colon] - UInt8(ascii: "0"))
                colon += 1
            }
            guard colon > place, bytes.count - colon > count, bytes[colon] == UInt8(ascii: ":") else {
                throw .internalFailure
            }
            place = colon + 1 + count
            return String(decoding: bytes[(colon + 1)..<place], as: UTF8.self)
        }
    }
}
