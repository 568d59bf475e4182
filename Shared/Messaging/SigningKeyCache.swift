import AWSSignature
import Synchronization

/// The keys that a client signs with, one for each service, until the day or the secret is another.
final class SigningKeyCache: Sendable {
    private struct Entry {
        let secretAccessKey: String
        let day: Substring
        let region: String
        let key: SigningKey
    }

    private let entries = Mutex<[String: Entry]>([:])

    /// The key of ``AWSSignature/SigningKey/init(secretAccessKey:day:region:service:)``.
    func key(secretAccessKey: String, day: Substring, region: String, service: String) -> SigningKey {
        entries.withLock { entries in
            if let entry = entries[service], entry.day == day, entry.secretAccessKey == secretAccessKey,
                entry.region == region
            {
                return entry.key
            }
            let key = SigningKey(secretAccessKey: secretAccessKey, day: String(day), region: region, service: service)
            entries[service] = Entry(secretAccessKey: secretAccessKey, day: day, region: region, key: key)
            return key
        }
    }
}
