import Crypto
import Foundation

/// A key pair that requests to AWS, or to the broker in its place, are signed with.
public struct AWSCredentials: Sendable {
    public let accessKeyID: String
    public let secretAccessKey: String

    public init(accessKeyID: String, secretAccessKey: String) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }
}

/// Signs requests with AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request").
///
/// Only what SNS and SQS need: `POST /` without a query, every given header signed.
struct SigV4 {
    let credentials: AWSCredentials
    let region: String
    /// The signing name of the service, `sqs` or `sns`.
    let service: String

    /// - Parameter headers: lower-case names, `host` among them.
    /// - Returns: the headers to add: `x-amz-date` and `authorization`.
    func sign(headers: [String: String], body: Data, at time: Date) -> [String: String] {
        let stamp = Self.timestamp(time)
        let day = String(stamp.prefix(8))
        var signed = headers
        signed["x-amz-date"] = stamp
        let names = signed.keys.sorted()
        let canonicalHeaders = names.map { "\($0):\(signed[$0] ?? "")\n" }.joined()
        let signedHeaders = names.joined(separator: ";")
        let canonicalRequest = "POST\n/\n\n\(canonicalHeaders)\n\(signedHeaders)\n\(Self.hex(SHA256.hash(data: body)))"
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let hash = Self.hex(SHA256.hash(data: Data(canonicalRequest.utf8)))
        let signature = Self.hex(
            Self.code("AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(hash)", key: signingKey(day: day)))
        let credential = "\(credentials.accessKeyID)/\(scope)"
        return [
            "x-amz-date": stamp,
            "authorization":
                "AWS4-HMAC-SHA256 Credential=\(credential), SignedHeaders=\(signedHeaders), Signature=\(signature)",
        ]
    }

    private func signingKey(day: String) -> Data {
        [day, region, service, "aws4_request"].reduce(Data("AWS4\(credentials.secretAccessKey)".utf8)) { key, part in
            Data(Self.code(part, key: key))
        }
    }

    private static func code(_ text: String, key: Data) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: key))
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0x0F)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `20260301T120000Z`.
    static func timestamp(_ time: Date) -> String {
        time.formatted(
            Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted))
    }
}
