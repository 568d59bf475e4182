import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Lets work begin that gives way to other work: one piece each time the event loop has looked at its sockets.
///
/// A loop works on all that it has read before it looks again. Without this, what a crowd of senders has sent is stored
/// before anybody is heard who wants to receive: queues grow although there is somebody for each message, and what has grown
/// long is read from disk again.
///
/// It is used on its loop only. What waits goes on after a byte in a pipe, which the loop finds when it looks.
final class Turnstile {
    private let loop: any EventLoop
    private let patience: TimeAmount
    private var waiting = CircularBuffer<(since: NIODeadline, begin: () -> Void)>()
    private var isTaken = false
    /// The end of the pipe that is written to; without a pipe nobody waits.
    private var bell: CInt = -1

    /// - Parameter patience: how long to give way at most, so that nobody waits for ever behind many that don't.
    init(on loop: any EventLoop, patience: TimeAmount = .milliseconds(100)) {
        self.loop = loop
        self.patience = patience
        var ends: [CInt] = [-1, -1]
        // There are no files left, perhaps.
        guard pipe(&ends) == 0 else { return }
        self.bell = ends[1]
        let listener = NIOLoopBound(Listener(self), eventLoop: loop)
        NIOPipeBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(listener.value) }
            }
            .takingOwnershipOfDescriptor(input: ends[0])
            .assumeIsolated().whenFailure { _ in listener.value.turnstile?.open() }
    }

    /// The other end goes with this one.
    deinit { if self.bell >= 0 { close(self.bell) } }

    /// Begins some work, at once or when its turn comes.
    func enter(_ begin: @escaping () -> Void) {
        if self.isTaken { return self.waiting.append((.now(), begin)) }
        begin()
        self.isTaken = self.bell >= 0
        if self.isTaken { self.goOnAfterNextLook() }
    }

    /// After what has just begun. Often nothing else waits then, and it goes without the pipe.
    private func goOnAfterNextLook() {
        self.loop.assumeIsolated().execute {
            if self.waiting.isEmpty { self.isTaken = false } else { self.ring() }
        }
    }

    private func ring() {
        var byte: UInt8 = 0
        _ = write(self.bell, &byte, 1)
    }

    private func letNextIn() {
        let latest = NIODeadline.now() - self.patience
        var isFirst = true
        while let next = self.waiting.first, isFirst || next.since < latest {
            self.waiting.removeFirst().begin()
            isFirst = false
        }
        self.goOnAfterNextLook()
    }

    /// Lets everybody in from now on.
    private func open() {
        close(self.bell)
        self.bell = -1
        self.isTaken = false
        while let next = self.waiting.popFirst() { next.begin() }
    }

    private final class Listener: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private(set) weak var turnstile: Turnstile?

        init(_ turnstile: Turnstile) { self.turnstile = turnstile }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.turnstile?.letNextIn() }
    }
}

/// The turnstiles of a server, one for each event loop that has connections.
final class Turnstiles: Sendable {
    private let byLoop = Mutex<[ObjectIdentifier: NIOLoopBound<Turnstile>]>([:])

    /// The one of this loop, on which it is called.
    func get(on loop: any EventLoop) -> Turnstile {
        self.byLoop.withLock { byLoop in
            if let known = byLoop[ObjectIdentifier(loop)] { return known }
            let new = NIOLoopBound(Turnstile(on: loop), eventLoop: loop)
            byLoop[ObjectIdentifier(loop)] = new
            return new
        }.value
    }
}
