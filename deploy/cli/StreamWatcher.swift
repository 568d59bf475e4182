import NIOCore

/// One connection with a live feed on it, of which it notes when it was opened and when its first event came. It keeps
/// nothing else, since there are thousands of them on the machine that is measured.
final class StreamWatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State { case opening, open, done }

    private let request: ByteBuffer
    private let openedPromise: EventLoopPromise<Void>
    private let eventPromise: EventLoopPromise<NIODeadline>
    private var state = State.opening
    private var received = ByteBuffer()
    private var context: ChannelHandlerContext?

    /// The stream has begun.
    var opened: EventLoopFuture<Void> { openedPromise.futureResult }
    /// When the first event came.
    var firstEvent: EventLoopFuture<NIODeadline> { eventPromise.futureResult }

    init(_ request: ByteBuffer, on loop: any EventLoop) {
        self.request = request
        openedPromise = loop.makePromise()
        eventPromise = loop.makePromise()
    }

    func close() { context?.close(promise: nil) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .done else { return }
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        if state == .opening, find("retry:") {
            guard received.readableBytesView.starts(with: "HTTP/1.1 200".utf8) else {
                return fail(ShopError("notification refused a stream: \(String(buffer: received).prefix(200))"))
            }
            state = .open
            received.clear()
            openedPromise.succeed()
        } else if state == .open, find("event: ") {
            state = .done
            received = ByteBuffer()
            eventPromise.succeed(.now())
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(ShopError("notification closed a stream; look at its log."))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ShopError("A connection to notification broke: \(error)"))
    }

    private func find(_ text: StaticString) -> Bool {
        received.withUnsafeReadableBytes { $0.firstOffset(of: text) != nil }
    }

    private func fail(_ error: ShopError) {
        context?.close(promise: nil)
        context = nil
        // Only what is still waited for hears of it.
        openedPromise.fail(error)
        eventPromise.fail(error)
    }
}
