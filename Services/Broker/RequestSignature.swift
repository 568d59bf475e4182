import Foundation

/// What a request says about its signature: in its `Authorization` header, or in its query if it was signed in advance.
struct RequestSignature: Equatable {
    /// `KEY/20260301/us-east-1/sqs/aws4_request`
    let credential: Substring
    /// Lower-case, in the order in which they were signed.
    let signedHeaders: [Substring]
    /// In hexadecimal.
    let signature: Substring
    /// `20260301T120000Z`
    let stamp: String
    /// When that was, in seconds since 1970.
    let signedAt: Int
    /// For how many seconds a request that was signed in advance holds.
    var lifetime: Int?

    static let algorithm = "AWS4-HMAC-SHA256"
    /// More than clients sign.
    private static let mostSignedHeaders = 64
    /// A week, as on Amazon.
    private static let longestLifetime = 604_800

    /// - Parameters:
    ///   - authorization: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
    ///   - date: the header `X-Amz-Date`.
    /// - Throws: `IncompleteSignature`.
    init(authorization: String, date: String?) throws(AWSError) {
        guard authorization.hasPrefix(Self.algorithm) else {
            throw .incompleteSignature("Authorization header must begin with '\(Self.algorithm)'.")
        }
        var parameters: [(name: Substring, value: Substring)] = []
        let rest = authorization.utf8.dropFirst(Self.algorithm.utf8.count)
        for part in rest.split(whereSeparator: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: " ") }) {
            guard let sign = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
            parameters.append((Substring(part[..<sign]), Substring(part[part.index(after: sign)...])))
        }
        func parameter(_ name: Substring) throws(AWSError) -> Substring {
            guard let value = parameters.last(where: { $0.name == name })?.value else {
                throw .incompleteSignature("Authorization header requires '\(name)' parameter.")
            }
            return value
        }
        guard let date else {
            throw .incompleteSignature("Authorization header requires existence of a 'X-Amz-Date' header.")
        }
        try self.init(
            credential: parameter("Credential"), signedHeaders: parameter("SignedHeaders"),
            signature: parameter("Signature"), stamp: date)
    }

    /// A request that was signed in advance, so that its URL is all that it takes.
    init(presigned query: FormParameters) throws(AWSError) {
        func parameter(_ name: String) throws(AWSError) -> String {
            guard let value = query["X-Amz-\(name)"] else {
                throw .incompleteSignature("AWS query-string parameters must include 'X-Amz-\(name)'.")
            }
            return value
        }
        guard try parameter("Algorithm") == Self.algorithm else {
            throw .incompleteSignature("X-Amz-Algorithm must be '\(Self.algorithm)'.")
        }
        guard let lifetime = Int(try parameter("Expires")), 1...Self.longestLifetime ~= lifetime else {
            throw .incompleteSignature("X-Amz-Expires must be from 1 to \(Self.longestLifetime).")
        }
        try self.init(
            credential: parameter("Credential")[...], signedHeaders: parameter("SignedHeaders")[...],
            signature: parameter("Signature")[...], stamp: parameter("Date"))
        self.lifetime = lifetime
    }

    private init(
        credential: Substring, signedHeaders: Substring, signature: Substring, stamp: String
    ) throws(AWSError) {
        self.credential = credential
        self.signedHeaders = signedHeaders.split(separator: ";", maxSplits: Self.mostSignedHeaders)
        self.signature = signature
        self.stamp = stamp
        guard let time = Self.seconds(stamp) else {
            throw .incompleteSignature(
                "Date must be in ISO-8601 'basic format'. Got '\(stamp.prefix(40))'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        }
        signedAt = time
        // Each name stands for a value that may be long, and is put together before the signature is compared.
        guard self.signedHeaders.count <= Self.mostSignedHeaders,
            Set(self.signedHeaders).count == self.signedHeaders.count
        else {
            throw .incompleteSignature(
                "SignedHeaders must name each header once, and \(Self.mostSignedHeaders) at most.")
        }
        guard self.signedHeaders.contains("host") else {
            throw .signatureDoesNotMatch("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        }
    }

    /// The parts of a credential.
    struct Scope: Equatable {
        let accessKeyID: Substring
        let day: Substring
        let region: Substring
        let service: Substring

        init(_ credential: Substring) throws(AWSError) {
            let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count >= 5 else {
                throw .incompleteSignature(
                    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '\(credential.prefix(200))'."
                )
            }
            let terminator = parts[parts.count - 1]
            guard terminator == "aws4_request" else {
                throw .signatureDoesNotMatch(
                    "Credential should be scoped with a valid terminator: 'aws4_request', not '\(terminator.prefix(40))'."
                )
            }
            day = parts[parts.count - 4]
            region = parts[parts.count - 3]
            service = parts[parts.count - 2]
            // A key's id may hold slashes.
            accessKeyID = credential[..<parts[parts.count - 5].endIndex]
        }
    }

    /// The time of a stamp like `20260301T120000Z`; `nil` if it is none.
    private static func seconds(_ stamp: String) -> Int? {
        let bytes = Array(stamp.utf8.prefix(17))
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int32? {
            var value: Int32 = 0
            for byte in bytes[range] {
                guard byte.isDigit else { return nil }
                value = value * 10 + Int32(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(4..<6), let day = number(6..<8), let hour = number(9..<11),
            let minute = number(11..<13), let second = number(13..<15), 1...12 ~= month, 1...31 ~= day, hour < 24,
            minute < 60, second <= 60
        else { return nil }
        var time = tm()
        time.tm_year = year - 1900
        time.tm_mon = month - 1
        time.tm_mday = day
        time.tm_hour = hour
        time.tm_min = minute
        time.tm_sec = second
        return timegm(&time)
    }
}
