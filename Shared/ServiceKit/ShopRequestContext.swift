public import Foundation
public import Hummingbird
import NIOCore
import ServiceLifecycle

/// What a route knows about its request besides the request itself.
public struct ShopRequestContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    let channel: any Channel

    public init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.channel = source.channel
    }

    public var maxUploadSize: Int { Request.defaultMaxBytes }
    public var requestDecoder: JSONDecoder { ShopJSON.decoder() }
    public var responseEncoder: JSONEncoder { ShopJSON.encoder() }

    /// Runs something that waits, such as a long poll, and cancels it when nobody waits for it any more: the client has
    /// closed the connection, or the service is shutting down.
    ///
    /// The operation may answer early with what it has, or let the `CancellationError` through, which becomes a 503.
    /// The connection stays usable for the next request.
    public func cancelWhenAbandoned<T: Sendable>(
        _ operation: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let (abandoned, abandon) = AsyncStream<Never>.makeStream()
        let departure = await DepartureHandler.departure(of: self.channel)
        let observation = departure?.observe { abandon.finish() }
        defer { if let observation { departure?.remove(observation) } }
        return try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Outcome<T>.self) { group in
                group.addTask { .finished(try await operation()) }
                group.addTask {
                    for await _ in abandoned {}
                    return .abandoned
                }
                defer { group.cancelAll() }
                while let outcome = try await group.next() {
                    if case .finished(let value) = outcome { return value }
                    group.cancelAll()
                }
                throw CancellationError()
            }
        } onGracefulShutdown: {
            abandon.finish()
        }
    }

    private enum Outcome<T: Sendable>: Sendable {
        case finished(T)
        case abandoned
    }
}
