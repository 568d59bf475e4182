import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import ServiceLifecycle

/// A connection of which some requests are answered directly, and the others by Hummingbird.
struct DirectHTTP1Channel: ServerChildChannel, HTTPChannelHandler {
    struct Value: ServerChildChannelValue {
        /// What Hummingbird sees of the connection.
        let routed: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        let requests: AsyncStream<DirectRequest>
        /// Finishes when nobody waits for answers any more.
        let end: AsyncStream<Never>
        let handler: NIOLoopBound<DirectHandler>

        var channel: any Channel { self.routed.channel }

        /// Does something with the handler on its loop; at once if this is it.
        func onLoop(_ action: @escaping @Sendable (DirectHandler) -> Void) {
            if self.handler.eventLoop.inEventLoop {
                action(self.handler.value)
            } else {
                self.handler.eventLoop.execute { action(self.handler.value) }
            }
        }
    }

    let service: DirectService
    let idleTimeout: TimeAmount
    let responder: Responder
    private let turnstiles = Turnstiles()
    private let room: BodyRoom

    /// All headers of a request together may have as many bytes as NIO lets one of them have, its path among them.
    private static let headerLimits: NIOHTTPDecoderLimitConfiguration = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = limits.maxHeaderFieldSize
        return limits
    }()

    init(service: DirectService, idleTimeout: TimeAmount, responder: @escaping Responder) {
        self.service = service
        self.room = BodyRoom(service.room)
        self.idleTimeout = idleTimeout
        self.responder = responder
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            // With its assistance one request at a time comes through, so that direct and other answers keep their order.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: true, withErrorHandling: true, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: Self.headerLimits)
            try pipeline.addHandler(
                ReadAhead(), position: .before(pipeline.handler(type: HTTPServerPipelineHandler.self)))
            let (requests, request) = AsyncStream.makeStream(of: DirectRequest.self)
            let (end, ended) = AsyncStream.makeStream(of: Never.self)
            let handler = DirectHandler(
                self.service, idleTimeout: self.idleTimeout, room: self.room,
                turnstile: self.turnstiles.get(on: channel.eventLoop), requests: request, end: ended)
            try pipeline.addHandlers([handler, HTTP1ToHTTPServerCodec(secure: false), DepartureHandler()])
            return Value(
                routed: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)),
                requests: requests, end: end, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.answer(value) }
                await self.handleHTTP(asyncChannel: value.routed, logger: logger)
            }
        } onGracefulShutdown: {
            value.onLoop { $0.quit() }
        }
    }

    /// Answers the direct requests of a connection, one after the other; the last one is cancelled with the connection.
    private func answer(_ value: Value) async {
        await withTaskGroup { group in
            group.addTask {
                for await request in value.requests {
                    let (response, room) = await self.response(to: request)
                    value.onLoop { $0.write(response, to: request.head, taking: room) }
                }
            }
            group.addTask { for await _ in value.end {} }
            await group.next()
            group.cancelAll()
        }
        value.onLoop { $0.abandon() }
    }

    /// The answer to a request, and how much room was taken for it. Where there is none, the service gives the answer that
    /// says so.
    private func response(to request: DirectRequest) async -> (DirectResponse, room: Int) {
        let response = await self.service.respond(request)
        let room = max(0, response.body.readableBytes - BodyRoom.free)
        if room == 0 || self.room.take(room) { return (response, room) }
        return (await self.service.respond(DirectRequest(head: request.head, body: .noRoom)), 0)
    }
}
