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
    private let room: BodyRoom
    private let turnstile: Turnstile
    private var context: ChannelHandlerContext?
    /// The direct request that is being read.
    private var head: HTTPRequestHead?
    private var body: ByteBuffer?
    /// How much room the body takes; that of a request which has been read, until it is answered.
    private var taken = 0
    /// Whether the connection ends with the answer to a request that was not read to its end.
    private var isCutShort = false
    /// The direct request on which work has not begun.
    private var held: DirectRequest?
    /// A request that has been read and not yet answered.
    private var pending = Pending.none
    /// Whether the routed request that is being read was answered before its end.
    private var isAnswered = false
    private var idleSince = NIODeadline.now()
    private var idleCheck: Scheduled<Void>?
    private var hasQuit = false

    private enum Pending { case none, routed, direct }

    /// - Parameters:
    ///   - requests: gets the direct requests, one at a time.
    ///   - end: is finished when nobody waits for answers any more.
    init(
        _ service: DirectService, idleTimeout: TimeAmount, room: BodyRoom, turnstile: Turnstile,
        requests: AsyncStream<DirectRequest>.Continuation, end: AsyncStream<Never>.Continuation
    ) {
        self.service = service
        self.idleTimeout = idleTimeout
        self.room = room
        self.turnstile = turnstile
        self.requests = requests
        self.end = end
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isCutShort { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head) where self.service.wants(head):
            (self.head, self.body) = (head, nil)
            let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
            if length > self.service.largestBody { self.refuse(head, .tooLarge, context) }
        case .head:
            self.isAnswered = false
            context.fireChannelRead(data)
        case .body(let part):
            guard let head = self.head else { return context.fireChannelRead(data) }
            let size = (self.body?.readableBytes ?? 0) + part.readableBytes
            guard size <= self.service.largestBody else { return self.refuse(head, .tooLarge, context) }
            let more = size - BodyRoom.free - self.taken
            if more > 0 {
                guard self.room.take(more) else { return self.refuse(head, .noRoom, context) }
                self.taken += more
            }
            if self.body?.writeImmutableBuffer(part) == nil { self.body = part }
        case .end:
            guard let head = self.head else {
                if !self.isAnswered { self.pending = .routed }
                return context.fireChannelRead(data)
            }
            self.pass(DirectRequest(head: head, body: .whole(self.body ?? ByteBuffer())), context)
        }
    }

    /// Has a request answered whose body the service doesn't take, and reads no further.
    private func refuse(_ head: HTTPRequestHead, _ body: DirectRequest.Body, _ context: ChannelHandlerContext) {
        self.isCutShort = true
        self.giveRoomBack()
        self.pass(DirectRequest(head: head, body: body), context)
    }

    private func giveRoomBack() {
        if self.taken > 0 { self.room.giveBack(self.taken) }
        self.taken = 0
    }

    private func pass(_ request: DirectRequest, _ context: ChannelHandlerContext) {
        (self.head, self.body) = (nil, nil)
        // Whoever was to answer has ended; the client sends it again on a new connection.
        guard !self.hasQuit else { return context.close(promise: nil) }
        self.held = request
        self.admit(context)
    }

    /// Lets work on the held request begin when its turn comes. A client that doesn't read its answers gets no more of them.
    private func admit(_ context: ChannelHandlerContext) {
        guard let request = self.held, self.pending == .none, context.channel.isWritable else { return }
        self.pending = .direct
        if self.service.givesWay(request) {
            self.turnstile.enter { self.begin() }
        } else {
            self.begin()
        }
    }

    private func begin() {
        guard let request = self.held else { return }
        self.held = nil
        self.pending = .direct
        self.requests.yield(request)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.admit(context)
        context.fireChannelWritabilityChanged()
    }

    // MARK: Answering

    /// Writes the answer to the direct request.
    /// - Parameter room: what was taken for it; it is given back when the answer is on its way, or nobody waits for it.
    func write(_ response: DirectResponse, to request: HTTPRequestHead, taking room: Int) {
        guard let context = self.context else { return self.room.giveBack(room) }
        var headers = response.headers
        headers.add(name: "content-length", value: String(response.body.readableBytes))
        let isLast = !request.isKeepAlive || self.isCutShort || self.hasQuit
        if isLast { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        if response.body.readableBytes > 0 {
            context.write(self.wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        self.becomeIdle()
        guard isLast || room > 0 else { return context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
            self.room.giveBack(room)
            if isLast { context.close(promise: nil) }
        }
    }

    /// The answers of others pass here.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) {
            self.isAnswered = true
            self.becomeIdle()
        }
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
        // What has come is answered, if it is still held, too.
        self.begin()
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
        self.giveRoomBack()
        self.idleCheck?.cancel()
    }

    private func becomeIdle() {
        self.pending = .none
        self.giveRoomBack()
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
