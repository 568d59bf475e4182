import Foundation
import NIOPosix

/// The log lines of the services that `deploy/up` runs: one file each, with the one before it.
struct LogFolder: Sendable {
    let path: String

    private static let mostLines = 1000

    /// The lines of one correlation id over all services, by their time; the latest if there are too many.
    func lines(correlationID: String) async -> [JSONValue] {
        // Reading files blocks, which the threads that answer requests must not.
        let lines = try? await NIOThreadPool.singleton.runIfActive { read(correlationID: correlationID) }
        return lines ?? []
    }

    private func read(correlationID: String) -> [JSONValue] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let lines = names.filter { $0.contains(".log") }.flatMap { name in
            let data = try? Data(contentsOf: URL(filePath: "\(path)/\(name)"), options: .alwaysMapped)
            return Self.lines(in: data ?? Data(), correlationID: correlationID)
        }
        return lines.sorted { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }.suffix(Self.mostLines)
    }

    /// The search is for bytes; only what holds them is read as JSON.
    static func lines(in data: Data, correlationID: String) -> [JSONValue] {
        let newline = UInt8(ascii: "\n")
        var lines: [JSONValue] = []
        var rest = data.startIndex..<data.endIndex
        while let hit = data.range(of: Data(correlationID.utf8), in: rest) {
            let start = data[..<hit.lowerBound].lastIndex(of: newline).map { $0 + 1 } ?? data.startIndex
            let end = data[hit.upperBound...].firstIndex(of: newline) ?? data.endIndex
            let line = try? JSONDecoder().decode(JSONValue.self, from: data[start..<end])
            // It may stand elsewhere in the line.
            if let line, line["correlation_id"]?.string == correlationID { lines.append(line) }
            rest = end..<data.endIndex
        }
        return lines
    }
}
