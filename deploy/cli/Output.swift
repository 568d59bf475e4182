import Foundation
import Synchronization

/// Where lines go: whole ones, one after another, whoever writes them.
///
/// On a terminal, all goes to standard output for people to read. Otherwise standard output carries the services'
/// JSON lines alone, for programs, and everything else goes to standard error.
final class Output: Sendable {
    let isForPeople: Bool
    let isColoured: Bool
    private let sink: @Sendable (String, Int32) throws -> Void
    private let files: LogFiles?
    private let lock = Mutex(())

    convenience init(jsonLogs: Bool, files: LogFiles? = nil) {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let hasColours = ProcessInfo.processInfo.environment["NO_COLOR"] == nil
        self.init(isForPeople: isTerminal && !jsonLogs, hasColours: hasColours, files: files) { line, file in
            try line.writeLine(to: file)
        }
    }

    init(
        isForPeople: Bool, hasColours: Bool, files: LogFiles? = nil,
        sink: @escaping @Sendable (String, Int32) throws -> Void
    ) {
        self.files = files
        self.isForPeople = isForPeople
        isColoured = isForPeople && hasColours
        self.sink = sink
    }

    /// A line that a service wrote.
    func show(_ line: String, from service: String) throws {
        files?.append(line, of: service)
        if isForPeople {
            try write(LogLine(service: service, isColoured: isColoured).render(line), to: STDOUT_FILENO)
        } else if line.hasPrefix("{") {
            try write(line, to: STDOUT_FILENO)
        } else {
            try write("\(service) | \(line)", to: STDERR_FILENO)
        }
    }

    /// A line of the supervisor's own.
    func say(_ text: String) throws {
        try write(text, to: isForPeople ? STDOUT_FILENO : STDERR_FILENO)
    }

    private func write(_ line: String, to file: Int32) throws {
        try lock.withLock { _ in try sink(line, file) }
    }
}

/// Standard output, a line at a time.
struct Standard: Sendable {
    func line(_ text: String) throws {
        try LogLine.printable(text).writeLine(to: STDOUT_FILENO)
    }

    /// On standard error, beside what a command answers.
    func complain(_ text: String) throws {
        try LogLine.printable(text).writeLine(to: STDERR_FILENO)
    }

    func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try String(decoding: encoder.encode(value), as: UTF8.self).writeLine(to: STDOUT_FILENO)
    }
}

extension String {
    fileprivate func writeLine(to file: Int32) throws {
        var bytes = Array(utf8)
        bytes.append(UInt8(ascii: "\n"))
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else {
                throw ShopError(
                    "Nobody reads what is printed any more (\(String(cString: strerror(errno)))); it ends here.")
            }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}
