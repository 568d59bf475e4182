import HTTPTypes
public import Hummingbird

/// The value of an `Idempotency-Key` header (IETF draft "The Idempotency-Key HTTP Header Field"): what makes a second
/// attempt at the same request recognisable. Remembering keys is up to the service.
public struct IdempotencyKey: Hashable, Sendable, CustomStringConvertible {
    /// 1 to 255 visible ASCII characters.
    public let value: String

    public var description: String { self.value }

    /// - Returns: nil unless it is 1 to 255 visible ASCII characters.
    public init?(_ value: String) {
        guard (1...255).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        self.value = value
    }
}

extension Request {
    /// The request's idempotency key; nil when it has none.
    ///
    /// - Throws: ``Problem`` 400 when the header isn't a usable key or is there twice.
    public func idempotencyKey() throws -> IdempotencyKey? {
        let values = self.headers[values: .idempotencyKey]
        guard let value = values.first else { return nil }
        guard values.count == 1, let key = IdempotencyKey(value) else {
            throw Problem.malformed(
                "Idempotency-Key must be given once, as 1 to 255 visible ASCII characters.", field: "Idempotency-Key")
        }
        return key
    }

    /// The request's idempotency key, which it must have.
    ///
    /// - Throws: ``Problem`` 400 when the header is missing or isn't a usable key.
    public func requiredIdempotencyKey() throws -> IdempotencyKey {
        guard let key = try self.idempotencyKey() else {
            throw Problem.malformed(
                "Idempotency-Key is missing; send one, so that a repeated request has no second effect.",
                field: "Idempotency-Key")
        }
        return key
    }
}
