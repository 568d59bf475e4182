import Foundation
import NIOCore

/// One connection that is kept alive: a request, its answer, the next request. What it reads of HTTP is no more than
/// what an answer needs, since this program shares the machine with the server that it measures.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Answer: Equatable {
        let status: Int
        let body: ByteBuffer
    }

    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var onAnswer: ((Result<Answer, ShopError>) -> Void)?

    /// Whether the server has not closed it.
    var isOpen: Bool { context != nil }

    /// Sends a request and calls back with its answer, on the event loop.
    func send(_ request: ByteBuffer, _ onAnswer: @escaping (Result<Answer, ShopError>) -> Void) {
        guard let context else { return onAnswer(.failure(Self.closed)) }
        self.onAnswer = onAnswer
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func close() {
        onAnswer = nil
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = part } else { received.writeBuffer(&part) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        do {
            guard let answer = try Self.answer(in: &received) else { return }
            finish(.success(answer))
        } catch {
            fail(ShopError("The server's answer can't be read: \(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { fail(Self.closed) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(ShopError("A connection to the server broke: \(error)"))
    }

    private static let closed = ShopError("The server closed a connection; look at its log.")

    private func fail(_ error: ShopError) {
        context?.close(promise: nil)
        context = nil
        finish(.failure(error))
    }

    private func finish(_ result: Result<Answer, ShopError>) {
        let onAnswer = onAnswer
        self.onAnswer = nil
        onAnswer?(result)
    }

    // MARK: Reading an answer

    /// Takes a whole answer out of the buffer; `nil` if it hasn't all arrived.
    static func answer(in buffer: inout ByteBuffer) throws -> Answer? {
        guard let head = try buffer.withUnsafeReadableBytes(Head.init) else { return nil }
        var rest = buffer
        rest.moveReaderIndex(forwardBy: head.size)
        guard let body = try head.isChunked ? readChunks(from: &rest) : rest.readSlice(length: head.bodySize) else {
            return nil
        }
        buffer = rest
        return Answer(status: head.status, body: body)
    }

    private struct Head {
        var size = 0
        var status = 0
        var bodySize = 0
        var isChunked = false

        init?(_ bytes: UnsafeRawBufferPointer) throws {
            guard let end = bytes.firstOffset(of: "\r\n\r\n") else { return nil }
            size = end + 4
            status = Self.number(bytes, from: 9)
            guard bytes.starts(with: "HTTP/1.".utf8), 100..<600 ~= status else { throw ShopError("it is no HTTP") }
            var start = 0
            while let line = bytes.firstOffset(of: "\r\n", from: start), line < end {
                start = line + 2
                if Self.isName("content-length:", bytes, at: start) {
                    bodySize = Self.number(bytes, from: start + 15)
                } else if Self.isName("transfer-encoding:", bytes, at: start) {
                    isChunked = true
                }
            }
        }

        /// Header names come in any case.
        private static func isName(_ name: StaticString, _ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
            let count = name.utf8CodeUnitCount
            guard start + count <= bytes.count else { return false }
            for index in 0..<count where bytes[start + index] | 0x20 != name.utf8Start[index] | 0x20 { return false }
            return true
        }

        private static func number(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
            let digits = bytes.dropFirst(start).drop { $0 == UInt8(ascii: " ") }
            return digits.prefix { 48...57 ~= $0 }.prefix(12).reduce(0) { $0 * 10 + Int($1 - 48) }
        }
    }

    private static func readChunks(from buffer: inout ByteBuffer) throws -> ByteBuffer? {
        var body = ByteBuffer()
        while true {
            let end = buffer.withUnsafeReadableBytes { $0.firstOffset(of: "\r\n") }
            guard let end, let line = buffer.readString(length: end) else { return nil }
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { throw ShopError("a chunk has no size") }
            buffer.moveReaderIndex(forwardBy: 2)
            guard var chunk = buffer.readSlice(length: size), buffer.readSlice(length: 2) != nil else { return nil }
            if size == 0 { return body }
            body.writeBuffer(&chunk)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Where a text begins, from an offset on.
    /// - Parameter rare: which of its bytes is the rarest, for it is that one which is looked for.
    func firstOffset(of text: StaticString, rare: Int = 0, from start: Int = 0) -> Int? {
        firstOffset(of: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), rare, start)
    }

    /// Where bytes begin, from an offset on.
    func firstOffset(of bytes: [UInt8], rare: Int, from start: Int) -> Int? {
        bytes.withUnsafeBytes { firstOffset(of: $0, rare, start) }
    }

    private func firstOffset(of pattern: UnsafeRawBufferPointer, _ rare: Int, _ start: Int) -> Int? {
        guard let base = baseAddress, let sought = pattern.baseAddress else { return nil }
        var place = start + rare
        while place < count, let found = memchr(base + place, Int32(pattern[rare]), count - place) {
            let first = UnsafeRawPointer(found) - base - rare
            guard first + pattern.count <= count else { return nil }
            if memcmp(base + first, sought, pattern.count) == 0 { return first }
            place = first + rare + 1
        }
        return nil
    }
}
