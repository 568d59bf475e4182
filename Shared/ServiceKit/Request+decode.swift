public import Foundation
import HTTPTypes
public import Hummingbird
import NIOCore
import NIOHTTP1

extension Request {
    /// The largest body of an ordinary request: 256 KiB.
    public static var defaultMaxBytes: Int { 256 * 1024 }

    /// The whole body as it came.
    ///
    /// - Parameter maxBytes: the limit for this route.
    /// - Throws: ``Problem`` 413 over the limit, 400 when the client stopped in the middle of it.
    public func bytes(maxBytes: Int = Request.defaultMaxBytes) async throws -> ByteBuffer {
        // A body that says it is too long needn't be read to be refused.
        if let length = self.headers[.contentLength].flatMap({ Int($0) }), length > maxBytes {
            throw Problem.tooLarge(limit: maxBytes)
        }
        do {
            return try await self.body.collect(upTo: maxBytes)
        } catch is NIOTooManyBytesError {
            throw Problem.tooLarge(limit: maxBytes)
        } catch let error as HTTPParserError {
            throw error  // The connection answers these itself and closes.
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Problem.malformed("The body ended before its end; send it again.")
        }
    }

    /// The body as JSON.
    ///
    /// Unknown members are ignored. A missing `Content-Type` is taken for JSON, another one isn't.
    ///
    /// - Parameters:
    ///   - maxBytes: the limit for this route.
    ///   - decoder: how dates and the like are read.
    /// - Throws: ``Problem`` 415 on another `Content-Type`, 413 over the limit, 400 when it isn't JSON, and 422 with the
    ///   field (`items[0].sku`) when a member is missing or of the wrong type.
    public func decode<T: Decodable>(
        _ type: T.Type, maxBytes: Int = Request.defaultMaxBytes, decoder: JSONDecoder = ShopJSON.decoder()
    ) async throws -> T {
        guard self.hasJSONBody else { throw Problem.unsupportedMediaType(expected: "application/json") }
        let buffer = try await self.bytes(maxBytes: maxBytes)
        guard buffer.readableBytes > 0 else { throw Problem.malformed("The body is empty; send a JSON object.") }
        let data = Data(buffer.readableBytesView)
        do {
            return try decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw Problem(error, in: data)
        }
    }

    /// `application/json` or a type that ends in `+json` (RFC 6839), whatever its parameters.
    private var hasJSONBody: Bool {
        guard let contentType = self.headers[.contentType] else { return true }
        let mediaType = contentType.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return mediaType == "application/json" || mediaType.hasSuffix("+json")
    }
}
