import HTTPTypes
import HummingbirdTesting
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceKit
import TestSupport
import Testing

@Suite("Answers that nobody reads", .timeLimit(.minutes(1))) struct AnswerRoomTests {
    /// Notes that an answer has begun.
    private final class Beginning: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let begun: Probe<Void>

        init(_ begun: Probe<Void>) { self.begun = begun }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { begun.record(()) }
    }

    /// Sends a request, and reads no more of the answer than its beginning.
    private static func ask(port: Int) async throws -> any Channel {
        let begun = Probe<Void>()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Beginning(begun))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        channel.read()
        await begun.first { true }
        return channel
    }

    @Test("They take room, which is free again when they are read or their client is gone") func room() async throws {
        // More than the system's buffers hold.
        let large = ByteBuffer(repeating: 0, count: 32 << 20)
        let service = DirectService(
            largestBody: 1024, room: 40 << 20, wants: { _ in true }, givesWay: { _ in false }
        ) { request in
            guard case .whole = request.body else {
                return DirectResponse(status: .serviceUnavailable, headers: [:], body: ByteBuffer())
            }
            return DirectResponse(headers: [:], body: large)
        }
        let configuration = try ServiceConfiguration(service: "test", defaultPort: 0, environment: [:])
        let assembly = Assembly(router: Chassis(configuration: configuration).router(), direct: service)
        try await assembly.application().test(.ahc(.http)) { client in
            func status() async throws -> HTTPResponse.Status {
                try await client.execute(uri: "/", method: .get).status
            }
            let port = try #require(client.port)
            let silent = try await Self.ask(port: port)
            #expect(try await status() == .serviceUnavailable)
            try await silent.close()
            while try await status() != .ok {}
            for _ in 1...3 { #expect(try await status() == .ok) }
        }
    }
}
