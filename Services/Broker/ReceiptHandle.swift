import Foundation

/// Names one delivery of one message: queue, message, receipt. Opaque to clients.
struct ReceiptHandle: Equatable {
    let queue: String
    let sequence: Int64
    let messageID: String
    let receipt: UInt64

    private static let version: UInt8 = 1

    /// Base64 of version, sequence, receipt, the 16 bytes of the message id and the name of the queue.
    var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(120)
        bytes.append(Self.version)
        withUnsafeBytes(of: sequence.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: receipt.bigEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: MessageID.bytes(of: messageID))
        bytes.append(contentsOf: queue.utf8)
        return Data(bytes).base64EncodedString()
    }

    init(queue: String, sequence: Int64, messageID: String, receipt: UInt64) {
        self.queue = queue
        self.sequence = sequence
        self.messageID = messageID
        self.receipt = receipt
    }

    /// Reads a handle that a client sent for a queue.
    /// - Throws: `ReceiptHandleIsInvalid` if it is none, or one of another queue.
    init(_ text: String, queue: String) throws(AWSError) {
        guard text.utf8.count <= 1024, let data = Data(base64Encoded: text), data.count > 33, data[0] == Self.version,
            data[33...].elementsEqual(queue.utf8), let id = MessageIDs(data[17..<33])
        else { throw .receiptHandleIsInvalid(text) }
        func integer(_ start: Int) -> UInt64 { data[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(
            queue: queue, sequence: Int64(bitPattern: integer(1)), messageID: id.id(0), receipt: integer(9))
    }
}
