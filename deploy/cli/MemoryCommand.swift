import ArgumentParser
import Foundation

struct MemoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Shows the resident memory of each process of the running shop, and the sum.")

    private struct Line: Encodable {
        let name: String
        let processId: Int32?
        let residentBytes: Int
    }

    @OptionGroup var stack: StackOptions

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func run() async throws {
        let folder = stack.folder
        guard folder.isInUse(), let file = try StackFile.read(from: folder.stackPath) else {
            throw ShopError("No shop is running in \(folder.name); start one with deploy/up.")
        }
        let processes =
            file.services.map { ($0.name, $0.processID) } + [("supervisor", .some(file.supervisorProcessID))]
        var lines = processes.map { name, processID in
            Line(name: name, processId: processID, residentBytes: processID.flatMap(Self.residentBytes) ?? 0)
        }
        lines.append(Line(name: "sum", processId: nil, residentBytes: lines.map(\.residentBytes).reduce(0, +)))
        for line in lines {
            if json {
                try Standard().json(line)
            } else {
                let name = line.name.padding(toLength: LogLine.nameWidth, withPad: " ", startingAt: 0)
                try Standard().line(String(format: "\(name) %8.1f MB", Double(line.residentBytes) / 1_000_000))
            }
        }
    }

    /// What the kernel counts as resident (`VmRSS`), which has the pages that processes share in each of them.
    private static func residentBytes(of processID: Int32) -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8) else { return nil }
        return residentBytes(inStatus: status)
    }

    static func residentBytes(inStatus status: String) -> Int? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
}
