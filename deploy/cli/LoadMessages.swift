import Foundation

/// The messages of a run: JSON like an event's, all alike but for the id, and where the id stands in a request.
///
/// Requests are made once; for each one that is sent only the ids are written into it.
struct LoadMessages: Sendable {
    /// What an id of this run begins with: eight hexadecimal digits and a tilde, which is nowhere else in a message.
    let mark: [UInt8]
    private static let digits = 10
    private let text: String

    init(run: String, size: Int) {
        mark = Array("\(run)~".utf8)
        var text = #"{"id":"\#(run)~0000000000","#
        let item = #"{"sku":"tea-green-250","quantity":2,"unitPriceMinorUnits":1250}"#
        var items: [String] = []
        let opening = #""type":"order.placed","currency":"EUR","items":["#
        let note = #""note":""#
        while text.count + opening.count + (items.count + 1) * (item.count + 1) + note.count + 4 <= size {
            items.append(item)
        }
        if !items.isEmpty { text += opening + items.joined(separator: ",") + "]," }
        text += note
        text += String(repeating: "x", count: max(0, size - text.count - 2)) + #""}"#
        self.text = text
    }

    /// A request to publish up to `count` messages, of which the ids are still to be written.
    struct Request: Sendable {
        fileprivate(set) var bytes: [UInt8] = []
        /// For each message where its id begins, and where its part of the request ends.
        fileprivate var ids: [Int] = []
        fileprivate var ends: [Int] = []

        /// The request for consecutive messages.
        mutating func body(first: Int, count: Int) -> [UInt8] {
            for index in 0..<count {
                var number = first + index
                for place in stride(from: ids[index] + LoadMessages.digits - 1, through: ids[index], by: -1) {
                    bytes[place] = UInt8(ascii: "0") + UInt8(number % 10)
                    number /= 10
                }
            }
            return count == ends.count ? bytes : Array(bytes[..<ends[count - 1]])
        }
    }

    func publish(topic: String) -> Request {
        request("Publish", topic, fields: [""])
    }

    func publishBatch(topic: String, count: Int) -> Request {
        request(
            "PublishBatch", topic,
            fields: (1...count).map { "PublishBatchRequestEntries.member.\($0)." }, withIDs: true)
    }

    private func request(_ action: String, _ topic: String, fields: [String], withIDs: Bool = false) -> Request {
        var request = Request()
        request.bytes += "Action=\(action)&Version=2010-03-31&TopicArn=\(Self.encode(topic))".utf8
        let encoded = Array(Self.encode(text).utf8)
        let place =
            encoded.withUnsafeBytes { $0.firstOffset(of: mark, rare: mark.count - 1, from: 0) ?? 0 } + mark.count
        for (index, field) in fields.enumerated() {
            if withIDs { request.bytes += "&\(field)Id=\(index + 1)".utf8 }
            request.bytes += "&\(field)Message=".utf8
            request.ids.append(request.bytes.count + place)
            request.bytes += encoded
            request.ends.append(request.bytes.count)
        }
        return request
    }

    static func encode(_ text: String) -> String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }

    /// What an answer to ReceiveMessage holds: the numbers of this run's messages, and the receipt handles as they are
    /// between their quotation marks. It is searched, not parsed, which costs a fraction.
    func find(in answer: UnsafeRawBufferPointer, message: (Int) -> Void, handle: (UnsafeRawBufferPointer) -> Void) {
        var place = 0
        while let found = answer.firstOffset(of: mark, rare: mark.count - 1, from: place) {
            place = found + mark.count
            message(answer.dropFirst(place).prefix(Self.digits).reduce(0) { $0 * 10 + Int($1) - 48 })
        }
        place = 0
        while let found = answer.firstOffset(of: #""ReceiptHandle""#, rare: 8, from: place) {
            guard let quote = answer.firstOffset(of: "\"", from: found + 15),
                let end = answer.firstOffset(of: "\"", from: quote + 1)
            else { return }
            place = end
            handle(UnsafeRawBufferPointer(rebasing: answer[(quote + 1)..<end]))
        }
    }
}
