import Foundation
import Subprocess
import SystemPackage

/// A PostgreSQL server of the shop's own, for services that are several processes. It listens on nothing but a socket
/// in the data folder, where nobody else can come.
struct PostgreSQLServer: Sendable {
    static let name = "postgres"
    /// What the kernel has room for in the address of a socket, less what the server adds to its folder.
    private static let longestFolder = 80

    /// `data`, the cluster, and the socket.
    let folder: String
    private let programs: String
    /// What its programs are started with: they refuse to run as root.
    private let prefix: [String]

    init(in data: DataFolder) throws {
        folder = "\(data.path)/\(Self.name)"
        guard folder.utf8.count <= Self.longestFolder else {
            throw ShopError("The path \(folder) is too long for the server's socket; give a shorter --data.")
        }
        guard let programs = Self.findPrograms() else {
            throw ShopError(
                "The programs initdb and postgres are missing; install PostgreSQL's server, or say with --databases where one is."
            )
        }
        self.programs = programs
        prefix = try Self.prefix()
    }

    /// Where each service's database is, as `--databases` says it.
    var databases: String {
        let host = folder.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? folder
        return "postgres://shop@/{service}?host=\(host)"
    }

    var command: [String] {
        prefix + [
            "\(programs)/postgres", "-D", cluster, "-c", "listen_addresses=", "-c", "unix_socket_directories=\(folder)",
            "-c", "unix_socket_permissions=0700", "-c", "max_connections=600", "-c", "log_checkpoints=off",
        ]
    }

    private var cluster: String { "\(folder)/data" }

    /// Whether it has been started before.
    var isThere: Bool { FileManager.default.fileExists(atPath: cluster) }

    /// Makes the cluster with these databases, unless it is there.
    func prepare(_ names: [String]) async throws {
        guard !isThere else { return }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // What an interrupted start has left is of no use.
        let draft = "\(folder)/draft"
        if FileManager.default.fileExists(atPath: draft) { try FileManager.default.removeItem(atPath: draft) }
        try await run([
            "initdb", "--pgdata", draft, "--username", "shop", "--auth", "trust", "--encoding", "UTF8", "--locale",
            "C.UTF-8",
        ])
        // In the language of no country, so that nothing relies on the machine's.
        let statements = names.map { "CREATE DATABASE \"\($0)\";\n" }.joined()
        let said = try await run(["postgres", "--single", "-D", draft, "postgres"], input: statements)
        guard !said.contains("ERROR:") else { throw ShopError("The databases can't be made: \(said)") }
        try FileManager.default.moveItem(atPath: draft, toPath: cluster)
    }

    /// What the program printed, on either output.
    @discardableResult
    private func run(_ arguments: [String], input: String = "") async throws -> String {
        let command = prefix + ["\(programs)/\(arguments[0])"] + arguments.dropFirst()
        let result = try await Subprocess.run(
            .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
            // The server's programs look at where they are, which need not be open to them.
            workingDirectory: "/", input: .string(input), output: .string(limit: 1 << 20), error: .combinedWithOutput)
        let said = result.standardOutput
        guard result.terminationStatus.isSuccess else {
            throw ShopError("\(arguments[0]) failed: \(said.suffix(1000))")
        }
        return said
    }

    /// Debian keeps them beside the PATH.
    private static func findPrograms() -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").map(String.init) ?? []
        let debian = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
        let newest = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(debian)/\($0)/bin" }
        return (path + newest).first { folder in
            ["initdb", "postgres"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
        }
    }

    /// As root: as another user, who yet may go wherever the data folder is.
    private static func prefix() throws -> [String] {
        guard geteuid() == 0 else { return [] }
        guard let setpriv = Launch.setpriv else {
            throw ShopError("PostgreSQL's server doesn't run as root; start the shop as another user.")
        }
        guard let user = getpwnam("postgres") ?? getpwnam("nobody") else {
            throw ShopError("PostgreSQL's server doesn't run as root, and there is no user postgres or nobody.")
        }
        let rights = "-all,+dac_override"
        // Changing the user takes back what `Launch` has asked for, so that it is asked for here again.
        return [
            setpriv, "--pdeathsig", "KILL", "--reuid", "\(user.pointee.pw_uid)", "--regid", "\(user.pointee.pw_gid)",
            "--clear-groups",
            "--inh-caps=\(rights)", "--ambient-caps=\(rights)", "--",
        ]
    }
}
