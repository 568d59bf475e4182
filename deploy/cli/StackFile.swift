import Foundation

/// What a running stack was started with, kept as `stack.json` in its data folder, so that other commands need
/// nothing but the folder.
struct StackFile: Codable, Equatable, Sendable {
    struct Process: Codable, Equatable, Sendable {
        let name: String
        /// 0 for what has none.
        let port: Int
        /// `nil` while the service is between two lives.
        var processID: Int32?
    }

    var supervisorProcessID: Int32
    var portOffset: Int
    var startedAt: Date
    var services: [Process]

    static func read(from path: String) throws -> StackFile? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            return try decoder.decode(StackFile.self, from: data)
        } catch {
            throw ShopError("\(path) can't be read; remove it and start the shop again with deploy/up.")
        }
    }

    /// Replaces the file in one step, so that a reader never sees half of it.
    func write(to path: String) throws {
        try Self.encoder.encode(self).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return encoder
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}

/// The stack file of the running stack, brought up to date whenever a service starts or ends.
actor StackRecord {
    private var file: StackFile
    private let path: String

    init(_ file: StackFile, path: String) throws {
        self.file = file
        self.path = path
        try file.write(to: path)
    }

    func set(_ name: String, processID: Int32?) throws {
        guard let index = file.services.firstIndex(where: { $0.name == name }) else { return }
        file.services[index].processID = processID
        try file.write(to: path)
    }

    /// A stack that was stopped leaves no file; one that was killed does, and its next start says so.
    func remove() throws {
        try FileManager.default.removeItem(atPath: path)
    }
}
