import AWSSignature
import Foundation
import NIOHTTP1
import ServiceKit
import Synchronization

/// Who may come in: those who sign with the broker's key, or everybody when it has none.
///
/// Region and service of a signature are taken as they are, for any region is served here.
final class Gatekeeper: Sendable {
    /// The one key that is known.
    struct Key: Sendable {
        let id: String
        let secret: String
    }

    let key: Key?
    private let now: @Sendable () -> Int
    /// By credential, for a key is good for a day of one region and service. Only who knew the secret has an entry.
    private let signingKeys = Mutex<[Substring: SigningKey]>([:])

    /// How far the clocks of client and broker may be apart, in seconds.
    private static let window = 900
    /// More than the regions and services that clients of one broker use.
    private static let mostSigningKeys = 64

    /// - Parameter now: seconds since 1970, as the clock on the wall shows them: the broker's own clock is never set
    ///   right, and stands still while the machine sleeps.
    init(key: Key?, now: @escaping @Sendable () -> Int = { time(nil) }) {
        self.key = key
        self.now = now
    }

    static func isSigned(_ request: DirectRequest) -> Bool {
        request.head.headers.contains(name: "authorization") || request.query?.contains("X-Amz-Signature=") == true
    }

    /// Checks the signature of a request.
    /// - Throws: what Amazon answers.
    func admit(_ request: DirectRequest, body: some DataProtocol) throws(AWSError) {
        guard let key else { return }
        let headers = request.head.headers
        if let authorization = headers.first(name: "authorization") {
            let date = headers.first(name: "x-amz-date")
            let signature = try RequestSignature(authorization: authorization, date: date)
            try check(signature, key, request, query: String(request.query ?? ""), body)
        } else if let query = request.query, query.contains("X-Amz-Signature=") {
            let signature = try RequestSignature(presigned: FormParameters(parsing: query.utf8))
            let signed = query.split(separator: "&").filter { !$0.hasPrefix("X-Amz-Signature=") }
            try check(signature, key, request, query: signed.joined(separator: "&"), body)
        } else {
            throw .missingAuthenticationToken
        }
    }

    private func check(
        _ signature: RequestSignature, _ key: Key, _ request: DirectRequest, query: String, _ body: some DataProtocol
    ) throws(AWSError) {
        let known = signingKeys.withLock { $0[signature.credential] }
        let signingKey: SigningKey
        if let known {
            signingKey = known
        } else {
            let scope = try RequestSignature.Scope(signature.credential)
            guard scope.accessKeyID == key.id else { throw .invalidClientToken }
            signingKey = SigningKey(
                secretAccessKey: key.secret, day: String(scope.day), region: String(scope.region),
                service: String(scope.service))
        }
        guard signingKey.scope.hasPrefix(signature.stamp.prefix(8)) else {
            throw .signatureDoesNotMatch(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '\(signingKey.scope.prefix(8))' != '\(signature.stamp.prefix(8))'."
            )
        }
        try checkTime(of: signature)
        // Unsigned, it could be turned into another operation.
        guard !request.head.headers.contains(name: "x-amz-target") || signature.signedHeaders.contains("x-amz-target")
        else {
            throw .signatureDoesNotMatch("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")
        }
        let canonical = CanonicalRequest(
            method: request.head.method.rawValue, path: String(request.path), query: query,
            headers: Self.values(of: signature.signedHeaders, in: request), body: body)
        guard signingKey.isValid(signature.signature, of: canonical, stamp: signature.stamp) else {
            throw .signatureDoesNotMatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
            )
        }
        if known == nil { remember(signingKey, for: signature.credential) }
    }

    private func checkTime(of signature: RequestSignature) throws(AWSError) {
        let now = now()
        func text(_ seconds: Int) -> String { SigningKey.timestamp(Date(timeIntervalSince1970: Double(seconds))) }
        if signature.signedAt > now + Self.window {
            throw .signatureDoesNotMatch(
                "Signature not yet current: \(signature.stamp) is still later than \(text(now + Self.window)) (\(text(now)) + 15 min.)"
            )
        }
        let end = signature.signedAt + (signature.lifetime ?? Self.window)
        if end < now {
            let reason = signature.lifetime == nil ? " (\(text(now)) - 15 min.)" : ""
            let earliest = signature.lifetime == nil ? now - Self.window : now
            let stamp = signature.lifetime == nil ? signature.stamp : text(end)
            throw .signatureDoesNotMatch("Signature expired: \(stamp) is now earlier than \(text(earliest))\(reason)")
        }
    }

    private func remember(_ signingKey: SigningKey, for credential: Substring) {
        signingKeys.withLock { keys in
            // The days go by; those who still sign with an old one pay once more.
            if keys.count >= Self.mostSigningKeys { keys = [:] }
            // A copy, for the substring would keep the whole header.
            keys[Substring(String(credential))] = signingKey
        }
    }

    /// The values of the headers that were signed; several of one name count as one.
    private static func values(of names: [Substring], in request: DirectRequest) -> [(name: String, value: String)] {
        var values = names.map { (name: String($0), value: nil as String?) }
        for field in request.head.headers {
            guard let index = names.firstIndex(where: { field.name.isEqualIgnoringCase(to: $0) }) else { continue }
            if values[index].value?.append(",\(field.value)") == nil { values[index].value = field.value }
        }
        return values.map { (name: $0.name, value: $0.value ?? "") }
    }
}

extension String {
    /// Whether it differs from a name in lower case at most in the case of ASCII letters.
    fileprivate func isEqualIgnoringCase(to name: Substring) -> Bool {
        utf8.count == name.utf8.count
            && zip(utf8, name.utf8).allSatisfy { $0 == $1 || $0 | 0x20 == $1 && $1.isLetterOrDigit }
    }
}
