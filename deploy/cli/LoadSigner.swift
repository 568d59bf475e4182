import AWSSignature
import Foundation
import NIOCore

/// Writes signed requests. The keys of the day and the time stamp of the second are kept, for most of the cost of a
/// signature is in them.
struct LoadSigner: Sendable {
    private let accessKeyID: String
    private let secretAccessKey: String
    let region: String
    private var second = 0
    private var stamp = ""
    private var keys: [String: SigningKey] = [:]

    init(accessKeyID: String, secretAccessKey: String, region: String) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.region = region
    }

    /// A request of the Query protocol, for SNS.
    mutating func form(_ body: [UInt8], to endpoint: LoadEndpoint) -> ByteBuffer {
        request(
            body, service: "sns",
            headers: [("content-type", "application/x-www-form-urlencoded"), ("host", endpoint.authority)])
    }

    /// A request in AWS JSON, for SQS.
    mutating func json(_ operation: String, _ body: [UInt8], to endpoint: LoadEndpoint) -> ByteBuffer {
        request(
            body, service: "sqs",
            headers: [("content-type", "application/x-amz-json-1.0"), ("host", endpoint.authority)],
            target: "AmazonSQS.\(operation)")
    }

    private mutating func request(
        _ body: [UInt8], service: String, headers: [(name: String, value: String)], target: String? = nil
    ) -> ByteBuffer {
        refresh()
        let key = self.key(service)
        var headers = headers + [("x-amz-date", stamp)]
        if let target { headers.append(("x-amz-target", target)) }
        let canonical = CanonicalRequest(method: "POST", headers: headers, body: body)
        var buffer = ByteBufferAllocator().buffer(capacity: body.count + 640)
        buffer.writeString("POST / HTTP/1.1\r\n")
        for (name, value) in headers {
            buffer.writeString(name)
            buffer.writeString(": ")
            buffer.writeString(value)
            buffer.writeString("\r\n")
        }
        buffer.writeString("authorization: AWS4-HMAC-SHA256 Credential=")
        buffer.writeString(accessKeyID)
        buffer.writeString("/")
        buffer.writeString(key.scope)
        buffer.writeString(", SignedHeaders=content-type;host;x-amz-date")
        buffer.writeString(target == nil ? ", Signature=" : ";x-amz-target, Signature=")
        buffer.writeString(key.signature(of: canonical, stamp: stamp))
        buffer.writeString("\r\ncontent-length: ")
        buffer.writeString(String(body.count))
        buffer.writeString("\r\n\r\n")
        buffer.writeBytes(body)
        return buffer
    }

    private mutating func refresh() {
        let now = time(nil)
        guard now != second else { return }
        second = now
        let stamp = SigningKey.timestamp(Date(timeIntervalSince1970: Double(now)))
        if stamp.prefix(8) != self.stamp.prefix(8) { keys = [:] }
        self.stamp = stamp
    }

    private mutating func key(_ service: String) -> SigningKey {
        if let key = keys[service] { return key }
        let key = SigningKey(
            secretAccessKey: secretAccessKey, day: String(stamp.prefix(8)), region: region, service: service)
        keys[service] = key
        return key
    }
}
