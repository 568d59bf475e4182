/// Keeps webhooks out of our own networks. Whoever may name a URL for us to call could otherwise have us call what only
/// we can reach: other services, the metadata of a cloud, a printer (server-side request forgery).
///
/// It is asked when a URL is registered, for an early answer, and again for each connection, which is what counts: by
/// then a name may lead elsewhere (DNS rebinding). The connection goes to an address that was checked.
public struct AddressGuard: Sendable {
    /// What may be called beside the internet.
    public enum Exception: String, CaseIterable, Sendable {
        case none
        /// This machine, as where all services of a shop are on one.
        case loopback
        /// Everything.
        case all
    }

    /// The URL leads to an address that webhooks aren't sent to.
    public struct Refused: Error, Equatable, CustomStringConvertible {
        public let host: String
        public let address: IPAddress

        public init(host: String, address: IPAddress) {
            self.host = host
            self.address = address
        }

        public var description: String {
            "The host '\(host)' has the address \(address), which is not on the public internet."
        }
    }

    private let exception: Exception
    private let resolve: @Sendable (String) async throws -> [IPAddress]

    /// - Parameter resolve: gives all addresses of a host, at least one, or throws.
    public init(
        allowing exception: Exception,
        resolve: @escaping @Sendable (String) async throws -> [IPAddress] = HostNames.addresses
    ) {
        self.exception = exception
        self.resolve = resolve
    }

    /// The addresses that the URL's host has now.
    /// - Throws: ``Refused`` if one of them is not allowed; ``HostNames/Unknown``.
    public func addresses(of url: WebhookURL) async throws -> [IPAddress] {
        let addresses =
            if let literal = IPAddress(url.host) { [literal] } else { try await resolve(url.host) }
        // One bad address is enough: which of them is taken can be the attacker's choice.
        if let bad = addresses.first(where: { !isAllowed($0) }) { throw Refused(host: url.host, address: bad) }
        guard !addresses.isEmpty else { throw HostNames.Unknown(host: url.host) }
        return addresses
    }

    private func isAllowed(_ address: IPAddress) -> Bool {
        switch (exception, address.reach) {
        case (.all, _), (_, .global), (.loopback, .loopback): true
        case (.none, .loopback), (.none, .restricted), (.loopback, .restricted): false
        }
    }
}
