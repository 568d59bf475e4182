import Foundation

/// Where the server is.
struct LoadEndpoint: Sendable {
    let isSecure: Bool
    let host: String
    let port: Int

    init(parsing address: String) throws {
        guard let url = URLComponents(string: address), let scheme = url.scheme, ["http", "https"].contains(scheme),
            let host = url.host, !host.isEmpty
        else { throw ShopError("'\(address)' is no address of a server; give one like http://127.0.0.1:4566.") }
        isSecure = scheme == "https"
        self.host = host
        port = url.port ?? (isSecure ? 443 : 80)
    }

    /// Whether the server is on this machine, where its CPU time can be seen.
    var isLocal: Bool { host == "localhost" || host.hasPrefix("127.") || host == "::1" }

    /// As it is in the `Host` header.
    var authority: String { "\(host):\(port)" }
}
