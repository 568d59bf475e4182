import NIOCore
import NIOHTTP1

/// Picks the requests of a ``DirectService`` out of a connection and answers them.
///
/// It closes a connection on which for a while no request was complete, nor one worked on: a client that sends a byte
/// now and then doesn't keep it.
final class DirectHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: DirectService
    private let requests: AsyncStream<DirectRequest>.Continuation
    private let end: AsyncStream<Never>.Continuation
    private let idleTimeout: TimeAmount
    private let turnstile: Turnstile
    private var context: ChannelHandlerContext?
    /// The direct request that is being read.
    private var head: HTTPRequestHead?
    private var body: ByteBuffer?
    /// Whether the connection ends with the answer to a request that was not read to its end.
    private var isTooLarge = false
    /// A request that has been read and not yet answered.
    private var pending = Pending.none
    private var idleSince = NIODeadline.now()
    private var idleCheck: Scheduled<Void>?
    private var hasQuit = false

    private enum Pending { case none, routed, direct }

    /// - Parameters:
    ///   - requests: gets the direct requests, one at a time.
    ///   - end: is finished when nobody waits for answers any more.
    init(
        _ service: DirectService, idleTimeout: TimeAmount, turnstile: Turnstile,
        requests: AsyncStream<DirectRequest>.Continuation, end: AsyncStream<Never>.Continuation
    ) {
        self.service = service
        self.idleTimeout = idleTimeout
        self.turnstile = turnstile
        self.requests = requests
        self.end = end
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isTooLarge { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head) where self.service.wants(head):
            (self.head, self.body) = (head, nil)
            let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
            if length > self.service.largestBody { self.refuse(head, context) }
        case .head: context.fireChannelRead(data)
        case .body(let part):
            guard let head = self.head else { return context.fireChannelRead(data) }
            if (self.body?.readableBytes ?? 0) + part.readableBytes > self.service.largestBody {
                self.refuse(head, context)
            } else if self.body?.writeImmutableBuffer(part) == nil {
                self.body = part
            }
        case .end:
            guard let head = self.head else {
                self.pending = .routed
                return context.fireChannelRead(data)
            }
            self.pass(DirectRequest(head: head, body: self.body ?? ByteBuffer()), context)
        }
    }

    /// Has a request answered whose body is larger than the service takes, and reads no further.
    private func refuse(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.isTooLarge = true
        self.pass(DirectRequest(head: head, body: nil), context)
    }

    private func pass(_ request: DirectRequest, _ context: ChannelHandlerContext) {
        (self.head, self.body) = (nil, nil)
        // Whoever was to answer has ended; the client sends it again on a new connection.
        guard !self.hasQuit else { return context.close(promise: nil) }
        self.pending = .direct
        if self.service.givesWay(request) {
            self.turnstile.enter { self.requests.yield(request) }
        } else {
            self.requests.yield(request)
        }
    }

    // MARK: Answering

    /// Writes the answer to the direct request.
    func write(_ response: DirectResponse, to request: HTTPRequestHead) {
        guard let context = self.context else { return }
        var headers = response.headers
        headers.add(name: "content-length", value: String(response.body.readableBytes))
        let isLast = !request.isKeepAlive || self.isTooLarge || self.hasQuit
        if isLast { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if response.body.readableBytes > 0 {
            context.write(self.wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        self.becomeIdle()
        guard isLast else { return context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    /// The answers of others pass here.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) { self.becomeIdle() }
        context.write(data, promise: promise)
    }

    // MARK: The end of a connection

    /// Cancels what is being worked on, and takes no more.
    func quit() {
        self.hasQuit = true
        self.requests.finish()
        self.end.finish()
    }

    /// The handler before has answered what isn't HTTP; Hummingbird would answer it again.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        self.quit()
        context.close(promise: nil)
    }

    /// Closes the connection if a request came too late to be answered.
    func abandon() {
        if self.pending == .direct { self.context?.close(promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        self.quit()
        // Hummingbird closes the connection at once, which would be under the answer.
        if self.pending != .direct { context.fireUserInboundEventTriggered(event) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.quit()
        context.fireChannelInactive()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.checkIdleness(in: self.idleTimeout, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.idleCheck?.cancel()
    }

    private func becomeIdle() {
        self.pending = .none
        self.idleSince = .now()
    }

    private func checkIdleness(in time: TimeAmount, _ context: ChannelHandlerContext) {
        self.idleCheck = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            let remaining = self.pending != .none ? self.idleTimeout : self.idleSince + self.idleTimeout - .now()
            if remaining > .zero {
                self.checkIdleness(in: remaining, context)
            } else {
                context.close(promise: nil)
            }
        }
    }
}
