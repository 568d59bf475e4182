import Dispatch
import Foundation

/// Looks up the addresses of hosts as the system does.
public enum HostNames {
    /// There is no such host, or nobody who knows it answers.
    public struct Unknown: Error, Equatable, CustomStringConvertible {
        public let host: String

        public init(host: String) { self.host = host }

        public var description: String { "The host '\(host)' can't be resolved." }
    }

    /// A look-up blocks its thread for as long as name servers are silent, so each has one of its own, up to the few dozen
    /// that Dispatch makes.
    private static let queue = DispatchQueue(label: "host-names", attributes: .concurrent)

    /// All addresses of a host, the one to be preferred first (RFC 6724).
    /// - Throws: ``Unknown``; `CancellationError`, without waiting for the look-up.
    public static func addresses(of host: String) async throws -> [IPAddress] {
        let (results, continuation) = AsyncStream<Result<[IPAddress], Unknown>>.makeStream()
        queue.async {
            continuation.yield(Result { () throws(Unknown) in try lookUp(host) })
            continuation.finish()
        }
        for await result in results { return try result.get() }
        throw CancellationError()
    }

    private static func lookUp(_ host: String) throws(Unknown) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { throw Unknown(host: host) }
        defer { freeaddrinfo(first) }
        let addresses = sequence(first: first, next: { $0?.pointee.ai_next }).compactMap { $0.flatMap(address) }
        guard !addresses.isEmpty else { throw Unknown(host: host) }
        return addresses
    }

    private static func address(_ entry: UnsafeMutablePointer<addrinfo>) -> IPAddress? {
        guard let name = entry.pointee.ai_addr else { return nil }
        switch entry.pointee.ai_family {
        case AF_INET:
            return name.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                .v4(UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
            }
        case AF_INET6:
            return name.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { IPAddress($0.pointee.sin6_addr) }
        default: return nil
        }
    }
}
