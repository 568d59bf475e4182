import NIOCore
import Synchronization

/// Notices that a client has gone away while its request is still being worked on.
///
/// Hummingbird leaves half-closed connections open and only looks at the connection again after the answer. Its
/// `consumeWithCancellationOnInboundClose` does look, but gives up the connection afterwards, which for a consumer that
/// polls again and again would be a new connection each time.
final class DepartureHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any
    typealias InboundOut = Any

    let departure = Departure()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { self.departure.happened() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.departure.happened()
        context.fireChannelInactive()
    }

    /// The departure of a channel's client; nil on a channel without this handler, as in tests without a server.
    static func departure(of channel: any Channel) async -> Departure? {
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DepartureHandler.self).departure
        }.get()
    }
}

/// Something that happens once, with observers.
final class Departure: Sendable {
    private struct State {
        var hasHappened = false
        var nextID = 0
        var observers: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Calls the observer when it happens, or at once when it has.
    func observe(_ observer: @escaping @Sendable () -> Void) -> Int {
        let (id, hasHappened) = self.state.withLock { state in
            state.nextID += 1
            if !state.hasHappened { state.observers[state.nextID] = observer }
            return (state.nextID, state.hasHappened)
        }
        if hasHappened { observer() }
        return id
    }

    func remove(_ id: Int) {
        self.state.withLock { _ = $0.observers.removeValue(forKey: id) }
    }

    func happened() {
        let observers = self.state.withLock { state in
            state.hasHappened = true
            defer { state.observers = [:] }
            return state.observers.values.map { $0 }
        }
        for observer in observers { observer() }
    }
}
