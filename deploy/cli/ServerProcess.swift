import Foundation

/// The process that listens on a port of this machine, as /proc shows it.
struct ServerProcess: Sendable {
    let id: Int32

    /// - Returns: `nil` where there is no such process, or no /proc.
    static func listening(on port: Int, of endpoint: LoadEndpoint) -> ServerProcess? {
        guard endpoint.isLocal else { return nil }
        let tables = ["tcp", "tcp6"].compactMap { try? String(contentsOfFile: "/proc/net/\($0)", encoding: .utf8) }
        let sockets = Set(tables.flatMap { inodes(listening: port, in: $0) }.map { "socket:[\($0)]" })
        guard !sockets.isEmpty else { return nil }
        let files = FileManager.default
        for id in (try? files.contentsOfDirectory(atPath: "/proc"))?.compactMap({ Int32($0) }) ?? [] {
            let open = (try? files.contentsOfDirectory(atPath: "/proc/\(id)/fd")) ?? []
            for file in open {
                let target = try? files.destinationOfSymbolicLink(atPath: "/proc/\(id)/fd/\(file)")
                if let target, sockets.contains(target) { return ServerProcess(id: id) }
            }
        }
        return nil
    }

    /// The lines of /proc/net/tcp: number, local address, remote address, state (0A is LISTEN), …, inode as the tenth.
    static func inodes(listening port: Int, in table: String) -> [Substring] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count > 9, columns[3] == "0A",
                columns[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) }) == port
            else { return nil }
            return columns[9]
        }
    }

    /// User and system time so far, in seconds.
    var cpuSeconds: Double? {
        let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
        return text.flatMap(Self.ticks).map { Double($0) / Double(sysconf(Int32(_SC_CLK_TCK))) }
    }

    /// Fields 14 and 15 of /proc/PID/stat. The second is the program's name in parentheses, which may hold anything.
    static func ticks(in stat: String) -> Int? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        return user + system
    }

    var residentBytes: Int? {
        let text = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)
        return text.flatMap { MemoryCommand.bytes("VmRSS", in: $0) }
    }
}
