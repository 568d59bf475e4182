import CZlib
import NIOCore

/// The content coding gzip (RFC 1952), undone by zlib.
enum Gzip {
    enum Failure: Error {
        /// It isn't gzip, is damaged or ends too early.
        case malformed
        /// Unpacked it would be larger than is allowed.
        case tooLarge
    }

    /// So much is unpacked at a time.
    private static let piece = 64 * 1024

    /// Unpacks a body, which may be several members one after another. It may stand for a thousand times its size, so it is
    /// given up as soon as more than `limit` bytes have come out of it.
    /// - Throws: ``Failure``.
    static func unpack(_ packed: ByteBuffer, atMost limit: Int) throws -> ByteBuffer {
        // zlib knows its stream by the address, which therefore must stay.
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // 15 is the largest window; 16 more ask for gzip's header and checksum instead of zlib's own.
        guard shop_inflate_init(stream, 15 + 16) == Z_OK else { throw Failure.malformed }
        defer { inflateEnd(stream) }
        return try packed.withUnsafeReadableBytes { bytes in
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.pointee.avail_in = UInt32(bytes.count)
            return try Self.members(of: stream, atMost: limit)
        }
    }

    private static func members(of stream: UnsafeMutablePointer<z_stream>, atMost limit: Int) throws -> ByteBuffer {
        var output = ByteBuffer()
        while true {
            var status = Z_OK
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: piece) { room in
                stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(piece)
                status = inflate(stream, Z_NO_FLUSH)
                return piece - Int(stream.pointee.avail_out)
            }
            guard output.readableBytes <= limit else { throw Failure.tooLarge }
            switch status {
            case Z_OK: continue
            case Z_STREAM_END where stream.pointee.avail_in == 0: return output
            case Z_STREAM_END: inflateReset(stream)
            // Z_BUF_ERROR too: there is room, so it is the input that has ended.
            default: throw Failure.malformed
            }
        }
    }
}
