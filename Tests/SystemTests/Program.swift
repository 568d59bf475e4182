import Foundation
import TestSupport

/// One of the executables that make the shop.
enum Program: String, CaseIterable, CustomStringConvertible, Sendable {
    case broker, order, payment, inventory, email, loyalty, notification
    /// Only watches the others.
    case console

    /// All that an order needs; the shop is whole without the console.
    static let allCases: [Program] = [.broker, .order, .payment, .inventory, .email, .loyalty, .notification]
    static let watched = allCases + [.console]

    /// Those that do the shop's work.
    static let services = allCases.filter { $0 != .broker }

    var description: String { rawValue }

    /// Where it listens in a shop that is not moved by an offset.
    var port: Int {
        switch self {
        case .broker: 4566
        case .console: 8080
        case .order: 8081
        case .payment: 8082
        case .inventory: 8083
        case .email: 8084
        case .loyalty: 8085
        case .notification: 8086
        }
    }

    /// Those that may be killed at any time.
    static let mortal = TestBroker.current.survivesDeath ? allCases : services

    /// How it is started.
    /// - Parameter port: where it is to listen, which programs of the package are told by their environment.
    func command(port: String) throws -> [String] {
        try self == .broker ? TestBroker.current.command(port: port) : [executable()]
    }

    /// Answers with 200 once it can do its work.
    var readyPath: String { self == .broker ? TestBroker.current.readyPath : "/health/ready" }

    /// Where it was built.
    func executable() throws -> String { try Self.executable(named: rawValue) }

    /// Where an executable of the package was built: beside the program that runs the tests.
    static func executable(named name: String) throws -> String {
        let tests = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        // On macOS the tests are a bundle whose executable lies deeper.
        var folder = tests.deletingLastPathComponent()
        while folder.path != "/" {
            let file = folder.appending(path: name).path
            if FileManager.default.isExecutableFile(atPath: file) { return file }
            folder = folder.deletingLastPathComponent()
        }
        throw SystemTestError("There is no executable '\(name)' beside \(tests.path); run swift build first.")
    }
}

/// A reason why a system test can't go on.
struct SystemTestError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Ports that nobody listens on.
enum FreePorts {
    /// Below the range that the system picks from for outgoing connections, so that a port isn't taken away while the
    /// program that it belongs to is being restarted.
    private static let range = 18_000..<30_000

    /// What to add to these ports so that all of them are free, as `shop --port-offset` takes it.
    static func offset(for ports: [Int]) throws -> Int {
        guard let first = ports.min(), let last = ports.max() else { return 0 }
        var random = SystemRandomNumberGenerator()
        let offsets = (range.lowerBound - first)..<(range.upperBound - last)
        let free = offsets.shuffled(using: &random).first { offset in ports.allSatisfy { isFree($0 + offset) } }
        guard let free else { throw SystemTestError("There are no \(ports.count) free ports in \(range).") }
        return free
    }

    private static func isFree(_ port: Int) -> Bool {
        #if canImport(Glibc)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET, stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

/// One of the processes that a program runs as.
struct Replica: Hashable, CustomStringConvertible, Sendable {
    let program: Program
    let number: Int

    var description: String { number == 1 ? program.rawValue : "\(program)-\(number)" }

    /// The first is where `shop` looks for the program.
    var port: Int { program.port + (number - 1) * 100 }

    /// Broker and console are one process each.
    static func all(of program: Program, _ replicas: Int) -> [Replica] {
        let count = Program.services.contains(program) ? replicas : 1
        return (1...count).map { Replica(program: program, number: $0) }
    }
}
