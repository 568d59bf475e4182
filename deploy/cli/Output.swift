import Foundation
import Synchronization

/// Where lines go: whole ones, one after another, whoever writes them.
///
/// On a terminal, all goes to standard output for people to read. Otherwise standard output carries the services'
/// JSON lines alone, for programs, and everything else goes to standard error.
final class Output: Sendable {
    let isForPeople: Bool
    let isColoured: Bool
    private let lock = Mutex(())

    init(jsonLogs: Bool) {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        isForPeople = isTerminal && !jsonLogs
        isColoured = isForPeople && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    }

    /// A line that a service wrote.
    func show(_ line: String, from service: String) throws {
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
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        try lock.withLock { _ in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
                guard count >= 0 || errno == EINTR else {
                    throw ShopError("What this shop prints can't be written any more; it stops.")
                }
                rest = rest.dropFirst(max(count, 0))
            }
        }
    }
}
