import NIOCore
import NIOHTTP1

/// Goes on reading while a request is answered, so that the connection needn't be taken out of what the kernel watches and
/// put back for each one.
///
/// What comes then waits in the `HTTPServerPipelineHandler` behind. When something has come, no more is read until all is
/// answered.
final class ReadAhead: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private var unanswered = 0
    private var isAhead = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.unanswered > 0 { self.isAhead = true }
        if case .end = self.unwrapInboundIn(data) { self.unanswered += 1 }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A request that is still coming in is read as fast as its reader wants it.
        if self.unanswered > 0, !self.isAhead { context.read() }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) {
            self.unanswered -= 1
            if self.unanswered == 0 { self.isAhead = false }
        }
        context.write(data, promise: promise)
    }
}
