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
        do {
            return try decoder.decode(type, from: Data(buffer.readableBytesView))
        } catch let error as DecodingError {
            throw Problem(error)
        }
    }

    /// `application/json` or a type that ends in `+json` (RFC 6839), whatever its parameters.
    private var hasJSONBody: Bool {
        guard let contentType = self.headers[.contentType] else { return true }
        let mediaType = contentType.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
        return mediaType == "application/json" || mediaType.hasSuffix("+json")
    }
}

extension Problem {
    /// Says which member is wrong and what it must be, in words for somebody who doesn't know Swift.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            let field = (context.codingPath + [key]).fieldPath
            self = .invalid(field: field, "'\(field)' is missing.")
        case .valueNotFound(_, let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) must not be null.")
        case .typeMismatch(let type, let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) must be \(Self.words(for: type)).")
        case .dataCorrupted(let context) where context.codingPath.isEmpty && context.underlyingError != nil:
            self = .malformed("The body isn't JSON; check its syntax.")
        case .dataCorrupted(let context):
            let field = context.codingPath.fieldPath
            self = .invalid(field: field.nilIfEmpty, "\(field.asSubject) is not valid: \(context.debugDescription)")
        @unknown default:
            self = .malformed("The body can't be read; check it against the service's openapi.yaml.")
        }
    }

    private static func words(for type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any FixedWidthInteger.Type: "a whole number"
        case is any BinaryFloatingPoint.Type, is Decimal.Type: "a number"
        case is [Any].Type: "a list"
        case is [String: Any].Type: "an object"
        default: "of another type"
        }
    }
}

extension [any CodingKey] {
    /// `items[0].sku`
    fileprivate var fieldPath: String {
        self.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}

extension String {
    fileprivate var nilIfEmpty: String? { self.isEmpty ? nil : self }
    fileprivate var asSubject: String { self.isEmpty ? "The body" : "'\(self)'" }
}
