import AWSSignature
import Foundation

/// Signs requests with AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request").
///
/// Only what SNS and SQS need: `POST /` without a query, every given header signed.
struct SigV4 {
    let credentials: AWSCredentials
    let region: String
    /// The signing name of the service, `sqs` or `sns`.
    let service: String
    /// Of the client whose requests these are.
    var keys = SigningKeyCache()

    /// - Parameter headers: lower-case names, `host` among them.
    /// - Returns: the headers to add: `x-amz-date`, `authorization` and, with a session token, `x-amz-security-token`.
    func sign(headers: [String: String], body: Data, at time: Date) -> [String: String] {
        let stamp = SigningKey.timestamp(time)
        var signed = headers
        signed["x-amz-date"] = stamp
        signed["x-amz-security-token"] = credentials.sessionToken
        let sorted = signed.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
        let key = keys.key(
            secretAccessKey: credentials.secretAccessKey, day: stamp.prefix(8), region: region, service: service)
        let signature = key.signature(of: CanonicalRequest(method: "POST", headers: sorted, body: body), stamp: stamp)
        let credential = "\(credentials.accessKeyID)/\(key.scope)"
        let signedHeaders = sorted.map(\.name).joined(separator: ";")
        var added = ["x-amz-date": stamp]
        added["x-amz-security-token"] = credentials.sessionToken
        added["authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credential), SignedHeaders=\(signedHeaders), Signature=\(signature)"
        return added
    }
}
