import Foundation

/// Looks for ports that are taken before anything is started, because half a stack is worse than none.
struct PortCheck: Sendable {
    let addresses: Addresses
    /// What a stack that was killed in this folder has left, if anything.
    let leftover: StackFile?

    /// Throws for the first port that something listens on.
    func run(_ entries: [ServiceEntry]) throws {
        for entry in entries where !Self.isFree(addresses.port(of: entry)) {
            throw ShopError(message(for: entry))
        }
    }

    func message(for entry: ServiceEntry) -> String {
        let port = addresses.port(of: entry)
        let left = leftover?.services.first { $0.name == entry.processName && $0.port == port }
        if let processID = left?.processID, Self.isProcess(processID, named: entry.name) {
            return
                "Port \(port), which \(entry.processName) needs, is held by process \(processID), left from an earlier "
                + "shop in this folder; stop it with: kill \(processID)"
        }
        return "Port \(port), which \(entry.processName) needs, is taken; stop what uses it, or give --port-offset."
    }

    /// Listens for an instant, in the way that the services do.
    static func isFree(_ port: Int) -> Bool {
        #if os(Linux)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        // The offset may have moved a replica's beyond what there is.
        guard (1...65535).contains(port) else { return false }
        let listener = socket(AF_INET, stream, 0)
        guard listener >= 0 else { return false }
        defer { close(listener) }
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr(Addresses.host)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return bound == 0 && listen(listener, 1) == 0
    }

    private static func isProcess(_ processID: Int32, named name: String) -> Bool {
        let command = try? String(contentsOfFile: "/proc/\(processID)/comm", encoding: .utf8)
        return command?.trimmingCharacters(in: .newlines) == name
    }
}
