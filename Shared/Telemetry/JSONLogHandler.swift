import Foundation
public import Logging
import Synchronization
import Tracing

/// Logs one JSON object a line:
/// `{"time","level","service","logger","message","correlation_id","trace_id","span_id",…metadata}`.
///
/// The ids come from the current `ServiceContext`; metadata of the same name, given where there is no context, goes
/// first. Metadata that would take the place of one of the other fields gets an underscore.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let service: String
    private let label: String
    private let write: @Sendable ([UInt8]) -> Void

    /// A handler that writes to standard output.
    public init(service: String, label: String, logLevel: Logger.Level) {
        self.init(service: service, label: label, logLevel: logLevel, write: StandardOutput.write)
    }

    /// - Parameter write: gets each line whole, with its line feed.
    init(service: String, label: String, logLevel: Logger.Level, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.service = service
        self.label = label
        self.logLevel = logLevel
        self.write = write
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var fields = self.metadata
        if let provided = self.metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let given = event.metadata { fields.merge(given) { _, new in new } }
        if let context = ServiceContext.current {
            if let id = context.correlationID, fields[Field.correlationID] == nil {
                fields[Field.correlationID] = .string(id)
            }
            if let span = context.spanContext, fields[Field.traceID] == nil {
                fields[Field.traceID] = .string(span.traceID.description)
                fields[Field.spanID] = .string(span.spanID.description)
            }
        }
        if let error = event.error { fields[Field.error] = .string(String(describing: error)) }

        var line = JSONWriter()
        line.object { line in
            line.field(Field.time, Date.now.rfc3339)
            line.field(Field.level, event.level.rawValue)
            line.field(Field.service, self.service)
            line.field(Field.logger, self.label)
            line.field(Field.message, event.message.description)
            for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
                line.key(Field.reserved.contains(key) ? key + "_" : key)
                line.metadata(value)
            }
        }
        line.newline()
        self.write(line.bytes)
    }

    private enum Field {
        static let time = "time"
        static let level = "level"
        static let service = "service"
        static let logger = "logger"
        static let message = "message"
        static let correlationID = "correlation_id"
        static let traceID = "trace_id"
        static let spanID = "span_id"
        static let error = "error"
        static let reserved: Set = [time, level, service, logger, message]
    }
}

extension JSONWriter {
    /// Numbers and truth values stay what they are, so that a log store can compare them.
    fileprivate mutating func metadata(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): self.string(text)
        case .stringConvertible(let number as any FixedWidthInteger): self.literal(String(describing: number))
        case .stringConvertible(let truth as Bool): self.literal(truth)
        case .stringConvertible(let number as Double) where number.isFinite: self.literal(number)
        case .stringConvertible(let other): self.string(other.description)
        case .array(let values):
            self.array { array in
                for value in values { array.metadata(value) }
            }
        case .dictionary(let values):
            self.object { object in
                for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                    object.key(key)
                    object.metadata(value)
                }
            }
        }
    }
}

/// Standard output, one whole line at a time.
enum StandardOutput {
    private static let lock = Mutex(())

    /// Writes in one `write(2)` where the system takes it whole. The lock keeps lines apart that a pipe takes in
    /// parts: beyond 4 KiB it may. A closed pipe loses the line; there is nobody left to tell.
    @Sendable static func write(_ line: [UInt8]) {
        self.lock.withLock { _ in
            line.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = Foundation.write(
                        STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    if count > 0 {
                        rest = rest.dropFirst(count)
                    } else if errno == EAGAIN {
                        var waiting = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                        poll(&waiting, 1, -1)
                    } else if errno != EINTR {
                        return
                    }
                }
            }
        }
    }
}
