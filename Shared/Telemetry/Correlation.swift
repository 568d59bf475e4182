import Foundation
public import Tracing

/// The id that follows one customer's request through every service, message, log line and span.
public enum CorrelationID {
    /// A new one: a random UUID in lowercase.
    public static func make() -> String {
        // `UUID()` opens and reads a file for each where the runtime is linked into the program.
        var uuid: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        withUnsafeMutableBytes(of: &uuid) { bytes in
            bytes.storeBytes(of: .random(in: 0...UInt64.max), toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: .random(in: 0...UInt64.max), toByteOffset: 8, as: UInt64.self)
        }
        uuid.6 = uuid.6 & 0x0F | 0x40
        uuid.8 = uuid.8 & 0x3F | 0x80
        return UUID(uuid: uuid).uuidString.lowercased()
    }

    /// Whether a caller's id may be taken over: 1 to 128 visible ASCII characters, so that it can stand in any
    /// header, log line and message attribute as it is.
    public static func isValid(_ id: String) -> Bool {
        (1...128).contains(id.utf8.count) && id.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}

extension ServiceContext {
    /// The correlation id of what is being worked on.
    public var correlationID: String? {
        get { self[CorrelationIDKey.self] }
        set { self[CorrelationIDKey.self] = newValue }
    }

    /// The span that is being worked in, or the remote one that caused the work.
    public var spanContext: SpanContext? {
        get { self[SpanContextKey.self] }
        set { self[SpanContextKey.self] = newValue }
    }
}

private enum CorrelationIDKey: ServiceContextKey {
    typealias Value = String
    static let nameOverride: String? = "correlation-id"
}

private enum SpanContextKey: ServiceContextKey {
    typealias Value = SpanContext
    static let nameOverride: String? = "span-context"
}
