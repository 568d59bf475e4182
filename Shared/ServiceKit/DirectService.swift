public import NIOCore
public import NIOHTTP1

/// A request as it came off the wire, with all of its body.
public struct DirectRequest: Sendable {
    /// What came after the headers: at most as many bytes as the service takes, or why there are none.
    public enum Body: Sendable {
        case whole(ByteBuffer)
        /// It was larger than the service takes, and was not read to its end.
        case tooLarge
        /// There is no room beside those of other requests for it, which was not read to its end, or for its answer.
        case noRoom
    }

    /// Method, path with query, and headers.
    public let head: HTTPRequestHead
    public let body: Body

    public init(head: HTTPRequestHead, body: Body) {
        self.head = head
        self.body = body
    }

    /// Still percent-encoded.
    public var path: Substring { self.head.uri.prefix { $0 != "?" } }

    /// What follows the question mark, still percent-encoded; `nil` if there is none.
    public var query: Substring? {
        self.head.uri.firstIndex(of: "?").map { self.head.uri[$0...].dropFirst() }
    }
}

/// The answer to a ``DirectRequest``.
public struct DirectResponse: Sendable {
    public let status: HTTPResponseStatus
    /// With `X-Correlation-ID`; without `Content-Length`, which the connection adds.
    public let headers: HTTPHeaders
    public let body: ByteBuffer

    public init(status: HTTPResponseStatus = .ok, headers: HTTPHeaders, body: ByteBuffer) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Answers requests on the event loop that read them, without router and middleware: they get no span, no line in the
/// log and no metrics. It is for a service that does so little for each of very many requests that these would be most
/// of its work.
public struct DirectService: Sendable {
    /// How many bytes a body may have.
    let largestBody: Int
    /// How many bytes the bodies may have together of all requests that are not yet answered, and of all answers that are
    /// not yet read.
    let room: Int
    /// Whether a request is for this service; all others go to the router.
    let wants: @Sendable (HTTPRequestHead) -> Bool
    /// Whether a request gives way to those that don't: work on it begins only when there is none of these to be seen.
    let givesWay: @Sendable (DirectRequest) -> Bool
    /// Answers a request. Its task is cancelled when nobody waits for the answer any more: the client has gone, or the
    /// service is shutting down.
    let respond: @Sendable (DirectRequest) async -> DirectResponse

    public init(
        largestBody: Int, room: Int, wants: @escaping @Sendable (HTTPRequestHead) -> Bool,
        givesWay: @escaping @Sendable (DirectRequest) -> Bool,
        respond: @escaping @Sendable (DirectRequest) async -> DirectResponse
    ) {
        self.largestBody = largestBody
        self.room = room
        self.wants = wants
        self.givesWay = givesWay
        self.respond = respond
    }
}
