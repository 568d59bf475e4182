import Foundation

/// Delivers into a Maildir (https://cr.yp.to/proto/maildir.html), which every mail program can read.
///
/// The file's name is derived from the event that the mail tells of. A mail that is there already, read or not, is not
/// delivered again.
struct Maildir: MailTransport {
    let name = "maildir"
    private let path: String
    private let queue = DispatchQueue(label: "maildir", attributes: .concurrent)

    /// After this long nobody is still writing a file in `tmp`.
    private static let leftoverAge: TimeInterval = 36 * 3600

    /// Creates the folders that are missing and makes sure that they can be written.
    /// - Throws: ``MaildirError`` if they can't.
    init(path: String) throws {
        self.path = path
        do {
            try createFolders()
            try removeLeftovers()
            let probe = temporaryPath(for: "probe")
            try write([], to: probe)
            try Self.check(unlink(probe), "remove \(probe)")
        } catch {
            throw MaildirError.notWritable(
                path: path, reason: (error as? SystemError)?.reason ?? error.localizedDescription)
        }
    }

    func deliver(_ message: MailMessage) async throws -> DeliveryOutcome {
        try await queue.run { try store(message) }
        return .delivered
    }

    private func store(_ message: MailMessage) throws {
        let file = Self.fileName(for: message.id)
        if try !contains(file) {
            let temporary = temporaryPath(for: file)
            defer { unlink(temporary) }
            try write(message.bytes, to: temporary)
            try publish(temporary, as: "\(path)/new/\(file)")
        }
        // Also when it was there: the attempt that wrote it may have ended before this.
        try sync(folder: "\(path)/new")
    }

    /// Moves a finished file to where readers look. Unlike a rename, a link never replaces what is there.
    private func publish(_ temporary: String, as destination: String) throws {
        if link(temporary, destination) == 0 || errno == EEXIST { return }
        guard [EPERM, ENOTSUP, ENOSYS, EMLINK].contains(errno) else { throw SystemError("link \(destination)") }
        // A file system without hard links. The same mail is the same bytes, so replacing it does no harm.
        try Self.check(rename(temporary, destination), "rename to \(destination)")
    }

    private static func fileName(for id: MailID) -> String { "\(id.eventID).async-shop" }

    private func temporaryPath(for file: String) -> String { "\(path)/tmp/\(file).\(UUID().uuidString)" }

    /// Whether a mail is in `new`, or in `cur`, where mail programs move it and add flags to its name.
    private func contains(_ file: String) throws -> Bool {
        if access("\(path)/new/\(file)", F_OK) == 0 { return true }
        return try FileManager.default.contentsOfDirectory(atPath: "\(path)/cur")
            .contains { $0 == file || $0.hasPrefix("\(file):") || $0.hasPrefix("\(file),") }
    }

    private func createFolders() throws {
        let parents = sequence(first: URL(fileURLWithPath: path)) { $0.deletingLastPathComponent() }
            .prefix { $0.path != "/" }.reversed()
        for folder in parents.map(\.path) + ["tmp", "new", "cur"].map({ "\(path)/\($0)" })
        where mkdir(folder, 0o755) < 0 {
            guard errno == EEXIST || access(folder, F_OK) == 0 else { throw SystemError("create \(folder)") }
        }
        try sync(folder: path)
        try sync(folder: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }

    /// What a crash has left behind of files that were never finished.
    private func removeLeftovers() throws {
        let oldest = Date(timeIntervalSinceNow: -Self.leftoverAge)
        for file in try FileManager.default.contentsOfDirectory(atPath: "\(path)/tmp")
        where file.contains(".async-shop.") {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/tmp/\(file)")
            if let changed = attributes[.modificationDate] as? Date, changed < oldest { unlink("\(path)/tmp/\(file)") }
        }
    }
}

/// Files that are on the disk when the call returns.
extension Maildir {
    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try Self.check(file, "create \(path)")
        do {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                try Self.check(Int32(clamping: count), "write \(path)")
                rest = rest.dropFirst(count)
            }
            try Self.check(fsync(file), "save \(path)")
        } catch {
            close(file)
            throw error
        }
        // Some file systems report a full disk only here.
        try Self.check(close(file), "close \(path)")
    }

    /// A file's name is on the disk once its folder is.
    private func sync(folder: String) throws {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try Self.check(file, "open \(folder)")
        defer { close(file) }
        try Self.check(fsync(file), "save \(folder)")
    }

    private static func check(_ result: Int32, _ action: @autoclosure () -> String) throws {
        if result < 0 { throw SystemError(action()) }
    }
}

/// A call to the operating system that failed.
private struct SystemError: Error, CustomStringConvertible {
    let action: String
    let reason: String

    /// - Parameter action: what could not be done; the reason is `errno`'s.
    init(_ action: String) {
        reason = String(cString: strerror(errno))
        self.action = action
    }

    var description: String { "can't \(action): \(reason)" }
}

/// Why mail can't be delivered into a Maildir at all.
enum MaildirError: Error, Equatable, CustomStringConvertible {
    case notWritable(path: String, reason: String)

    var description: String {
        switch self {
        case .notWritable(let path, let reason):
            "The Maildir '\(path)' can't be written (\(reason)); make it a folder that can be, or set MAILDIR or SMTP_URL."
        }
    }
}
