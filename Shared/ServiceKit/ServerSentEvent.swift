public import NIOCore

/// One event of a stream (WHATWG HTML, section 9.2 "Server-sent events").
public struct ServerSentEvent: Equatable, Sendable {
    /// What a reader that comes back sends as `Last-Event-ID`; no line breaks.
    public var id: String
    /// Its kind, for which readers listen; no line breaks.
    public var name: String
    public var data: String

    public init(id: String, name: String, data: String) {
        self.id = id
        self.name = name
        self.data = data
    }

    /// Appends the event as it stands in the stream: a field a line, a line of data for each of its lines, and an empty
    /// line that ends it.
    public func write(to buffer: inout ByteBuffer) {
        buffer.writeString("id: \(id)\nevent: \(name)\n")
        // CR LF is one character to Swift and one line break to the specification; other line breaks are data.
        for line in data.split(omittingEmptySubsequences: false, whereSeparator: { ["\n", "\r", "\r\n"].contains($0) })
        {
            buffer.writeString("data: \(line)\n")
        }
        buffer.writeString("\n")
    }
}
