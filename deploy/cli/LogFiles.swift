import Foundation
import Synchronization
import SystemPackage

/// Keeps what the services write, a file each in the data folder's `logs`, so that it can be looked up afterwards. A
/// file that is full becomes `NAME.log.1` in place of the one before, so that each service takes twice its size at most.
final class LogFiles: Sendable {
    private struct File {
        var descriptor: FileDescriptor
        var size: Int
    }

    private let folder: String
    private let largest: Int
    private let files = Mutex<[String: File]>([:])

    init(folder: String, largest: Int = 8 << 20) throws {
        self.folder = folder
        self.largest = largest
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ShopError("The folder \(folder) can't be made; check the owner and mode of the data folder.")
        }
    }

    /// Adds a line. A disk that is full loses it; that is no reason to stop a shop.
    func append(_ line: String, of service: String) {
        files.withLock { files in
            do {
                var file = try files[service] ?? open(service)
                let bytes = Array((line + "\n").utf8)
                if file.size > 0, file.size + bytes.count > largest {
                    try file.descriptor.close()
                    rename(path(of: service), path(of: service) + ".1")
                    file = try open(service)
                }
                try file.descriptor.writeAll(bytes)
                file.size += bytes.count
                files[service] = file
            } catch {
                files[service] = nil
            }
        }
    }

    private func path(of service: String) -> String { "\(folder)/\(service).log" }

    private func open(_ service: String) throws -> File {
        let descriptor = try FileDescriptor.open(
            FilePath(path(of: service)), .writeOnly, options: [.append, .create, .closeOnExec],
            permissions: .ownerReadWrite)
        return File(descriptor: descriptor, size: Int(try descriptor.seek(offset: 0, from: .end)))
    }
}
