import ArgumentParser
import Foundation

struct MemoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Shows the memory of each process of the running shop, and the sum.",
        discussion: """
            "Resident" is what the kernel counts for the process (VmRSS); pages that processes share, such as those \
            of the Swift libraries, are counted in each of them. "Its share" divides those among the processes that have \
            them (PSS), so that its sum is what the shop takes from the machine. A process' children count as part of it, \
            as those of the database's server do.
            """)

    private struct Line: Encodable {
        let name: String
        let processId: Int32?
        let residentBytes: Int
        let shareBytes: Int
    }

    @OptionGroup var stack: StackOptions

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() async throws {
        let folder = stack.folder
        guard folder.isInUse(), let file = try StackFile.read(from: folder.stackPath) else {
            throw ShopError("No shop is running in \(folder.name); start one with deploy/up.")
        }
        // The database's server is many processes, of one of which the others are children. The supervisor's are the services.
        let processes =
            file.services.map { ($0.name, $0.processID.map(Self.family) ?? []) }
            + [("supervisor", [file.supervisorProcessID])]
        var lines = processes.map { name, family in
            Line(
                name: name, processId: family.first,
                residentBytes: family.compactMap { Self.bytes("VmRSS", of: $0, in: "status") }.reduce(0, +),
                shareBytes: family.compactMap { Self.bytes("Pss", of: $0, in: "smaps_rollup") }.reduce(0, +))
        }
        lines.append(
            Line(
                name: "sum", processId: nil, residentBytes: lines.map(\.residentBytes).reduce(0, +),
                shareBytes: lines.map(\.shareBytes).reduce(0, +)))
        guard !json else { return try lines.forEach(Standard().json) }
        try Standard().line(Self.row("", "resident", "its share"))
        for line in lines {
            try Standard().line(
                Self.row(line.name, Self.megabytes(line.residentBytes), Self.megabytes(line.shareBytes)))
        }
    }

    private static func row(_ name: String, _ columns: String...) -> String {
        let cells = columns.map { String(repeating: " ", count: max(0, 12 - $0.count)) + $0 }
        return name.padding(toLength: LogLine.nameWidth, withPad: " ", startingAt: 0) + cells.joined()
    }

    private static func megabytes(_ bytes: Int) -> String {
        String(format: "%.1f MB", Double(bytes) / 1_000_000)
    }

    /// A process and its children.
    private static func family(of processID: Int32) -> [Int32] {
        let children = text("task/\(processID)/children", of: processID) ?? ""
        return [processID] + children.split(separator: " ").compactMap { Int32($0) }
    }

    private static func text(_ file: String, of processID: Int32) -> String? {
        try? String(contentsOfFile: "/proc/\(processID)/\(file)", encoding: .utf8)
    }

    private static func bytes(_ name: String, of processID: Int32, in file: String) -> Int? {
        text(file, of: processID).flatMap { bytes(name, in: $0) }
    }

    /// A line of the kernel's: `VmRSS:     1024 kB`.
    static func bytes(_ name: String, in text: String) -> Int? {
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
