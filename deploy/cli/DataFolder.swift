import Foundation
import SystemPackage

/// The folder in which a stack keeps all that it has: databases, mail, keys, and what it was started with.
struct DataFolder: Sendable {
    /// Without a trailing slash, absolute, so that children may run anywhere.
    let path: String
    /// For messages: relative where that is shorter.
    let name: String

    init(_ name: String, from current: String = FileManager.default.currentDirectoryPath) {
        path =
            URL(fileURLWithPath: name, relativeTo: URL(fileURLWithPath: current, isDirectory: true)).standardizedFileURL
            .path
        self.name = path.hasPrefix(current + "/") ? String(path.dropFirst(current.count + 1)) : path
    }

    var keysPath: String { "\(path)/keys.env" }
    var stackPath: String { "\(path)/stack.json" }
    var logsPath: String { "\(path)/logs" }
    private var lockPath: String { "\(path)/lock" }

    func create() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ShopError("The folder \(name) can't be made; check --data.")
        }
    }

    /// Makes sure that there is something to take over, and something that can.
    func expectFiles(of entries: [ServiceEntry], for databases: String) throws {
        guard databases.hasPrefix("postgres") else {
            throw ShopError("--import is for a move to PostgreSQL; add --replicas or --databases.")
        }
        for owner in entries.filter({ !$0.hasOwnFile }).flatMap(\.allDatabases.values) {
            let file = "\(owner).sqlite"
            guard FileManager.default.fileExists(atPath: "\(path)/\(file)") else {
                throw ShopError(
                    "There is no \(file) in \(name) to take over; leave --import out, or give another --data.")
            }
        }
    }

    /// Takes the folder for one supervisor. The lock is the kernel's: it ends with the process, however that ends.
    func lock() throws -> FolderLock {
        guard let lock = try openLocked(create: true) else {
            let holder = try StackFile.read(from: stackPath).map { " (process \($0.supervisorProcessID))" } ?? ""
            throw ShopError("A shop is already running in \(name)\(holder); stop it first, or give another --data.")
        }
        return lock
    }

    /// Whether a supervisor is running on this folder.
    func isInUse() -> Bool {
        guard FileManager.default.fileExists(atPath: lockPath) else { return false }
        guard let lock = try? openLocked(create: false) else { return true }
        try? lock.release()
        return false
    }

    /// `nil` when another process has the lock.
    private func openLocked(create: Bool) throws -> FolderLock? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                FilePath(lockPath), .readWrite, options: create ? [.create, .closeOnExec] : [.closeOnExec],
                permissions: .ownerReadWrite)
        } catch {
            throw ShopError("The folder \(name) can't be written (\(error)); check its owner and mode.")
        }
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            try file.close()
            return nil
        }
        return FolderLock(file: file)
    }
}

/// A folder that is taken.
struct FolderLock {
    fileprivate let file: FileDescriptor

    /// A child that is being started at the moment may have a copy of the descriptor, and closing ours would leave it the lock.
    func release() throws {
        flock(file.rawValue, LOCK_UN)
        try file.close()
    }
}
