import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import ServiceKit

@Suite("Giving way")
struct TurnstileTests {
    /// What happens on an event loop: work that gives way, and what comes in on a pipe meanwhile.
    private final class Scene: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let finished: EventLoopPromise<[String]>
        private let last: String
        private var events: [String] = []

        init(last: String, finished: EventLoopPromise<[String]>) {
            self.last = last
            self.finished = finished
        }

        func happens(_ event: String) {
            self.events.append(event)
            if event == self.last { self.finished.succeed(self.events) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.happens("heard") }
    }

    /// Has four pieces of work enter together, of which one writes into a pipe that the loop listens to.
    /// - Returns: what happened, in its order.
    private func events(patience: TimeAmount, writer: String, until last: String) async throws -> [String] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let finished = loop.makePromise(of: [String].self)
        var ends: [CInt] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (input, output) = (ends[0], ends[1])
        defer { close(output) }
        let scene = try await loop.submit { NIOLoopBound(Scene(last: last, finished: finished), eventLoop: loop) }.get()
        let channel = try await NIOPipeBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(scene.value) }
            }
            .takingOwnershipOfDescriptor(input: input).get()
        let turnstile = try await loop.submit {
            let turnstile = Turnstile(on: loop, patience: patience)
            for name in ["a", "b", "c", "d"] {
                turnstile.enter {
                    scene.value.happens(name)
                    if name == writer { withUnsafeBytes(of: 0 as UInt8) { _ = write(output, $0.baseAddress, 1) } }
                }
            }
            return NIOLoopBound(turnstile, eventLoop: loop)
        }.get()
        let events = try await finished.futureResult.get()
        try await channel.close()
        withExtendedLifetime(turnstile) {}
        return events
    }

    @Test("Work begins in its order, a piece for each look at the sockets") func oneForEachLook() async throws {
        let events = try await events(patience: .hours(1), writer: "a", until: "d")
        #expect(events.filter { $0 != "heard" } == ["a", "b", "c", "d"])
        // The first look finds what was written; whether it is told of before "b" is up to the system.
        let heard = try #require(events.firstIndex(of: "heard"))
        #expect(heard < 3)
    }

    @Test("What has waited for too long gives way no more") func patience() async throws {
        let events = try await events(patience: .zero, writer: "b", until: "heard")
        #expect(events == ["a", "b", "c", "d", "heard"])
    }
}
