import Contracts
import Synchronization

/// A service's way to the broker. It makes sure that the topology exists before anything else is done, again after
/// each failure (the broker may have lost its disk), and reports whether the broker can be reached.
public final class BrokerLink: Sendable {
    private let transport: any MessageTransport
    private let topology: Topology
    private let report: @Sendable (_ isReachable: Bool, _ detail: String) -> Void
    private let isEnsured = Mutex(false)

    /// - Parameter report: called with each outcome; repeats are the receiver's to ignore.
    public init(
        transport: any MessageTransport, topology: Topology,
        report: @escaping @Sendable (_ isReachable: Bool, _ detail: String) -> Void
    ) {
        self.transport = transport
        self.topology = topology
        self.report = report
    }

    /// Does something with the broker.
    public func use<Value: Sendable>(
        _ body: @Sendable (any MessageTransport) async throws -> Value
    ) async throws -> Value {
        do {
            if !isEnsured.withLock({ $0 }) {
                try await transport.ensure(topology)
                isEnsured.withLock { $0 = true }
                report(true, "the broker is there")
            }
            return try await body(transport)
        } catch {
            // A call that was cut short on the way out says nothing about the broker.
            guard !Task.isCancelled else { throw error }
            isEnsured.withLock { $0 = false }
            report(false, "waiting for the broker: \(error)")
            throw error
        }
    }
}
