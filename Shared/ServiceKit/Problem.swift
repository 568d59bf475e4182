import Foundation
public import HTTPTypes
public import Hummingbird

/// An error as clients see it: RFC 9457, `application/problem+json`.
///
/// Throw one from a route; the chassis answers with it.
public struct Problem: Error, Hashable, Sendable {
    /// A URI that names the kind of problem and never changes: `urn:shop:problem:invalid`.
    public var type: String
    /// The kind of problem in a few words, the same each time.
    public var title: String
    /// The HTTP status.
    public var status: HTTPResponse.Status
    /// What is wrong this time, and what to do about it, in one sentence.
    public var detail: String
    /// The member of the body (`items[0].sku`), parameter or header at fault.
    public var field: String?
    /// The path of the request; the chassis fills it in.
    public var instance: String?
    /// Headers that belong to the answer, such as `Allow` or `Retry-After`.
    public var headers: HTTPFields

    /// - Parameter kind: the last part of ``type``; words joined by hyphens.
    public init(
        _ status: HTTPResponse.Status, kind: String, title: String, detail: String, field: String? = nil,
        headers: HTTPFields = [:]
    ) {
        self.type = "urn:shop:problem:\(kind)"
        self.title = title
        self.status = status
        self.detail = detail
        self.field = field
        self.headers = headers
    }
}

extension Problem {
    /// 400: what was sent can't be read at all.
    public static func malformed(_ detail: String, field: String? = nil) -> Problem {
        Problem(.badRequest, kind: "malformed", title: "Malformed request", detail: detail, field: field)
    }

    /// 401: the sender hasn't shown who it is; for a signature that doesn't match.
    /// - Parameter challenge: how to show it, for `WWW-Authenticate` (RFC 9110, section 11.6.1).
    public static func unauthorized(
        _ detail: String, kind: String = "unauthorized", challenge: String
    ) -> Problem {
        Problem(
            .unauthorized, kind: kind, title: "Not authorized", detail: detail, headers: [.wwwAuthenticate: challenge])
    }

    /// 404: there is no such thing.
    public static func notFound(_ detail: String) -> Problem {
        Problem(.notFound, kind: "not-found", title: "Not found", detail: detail)
    }

    /// 405: the path exists, the method doesn't.
    public static func methodNotAllowed(_ method: HTTPRequest.Method, allow: [HTTPRequest.Method]) -> Problem {
        let allowed = allow.map(\.rawValue).sorted().joined(separator: ", ")
        return Problem(
            .methodNotAllowed, kind: "method-not-allowed", title: "Method not allowed",
            detail: "\(method == .unknown ? "This method" : method.rawValue) isn't possible here; use \(allowed).",
            headers: [.allow: allowed])
    }

    /// 409: right in itself, but not in the state that things are in.
    public static func conflict(_ detail: String, kind: String = "conflict") -> Problem {
        Problem(.conflict, kind: kind, title: "Conflict", detail: detail)
    }

    /// 413: the body is over the limit.
    public static func tooLarge(limit bytes: Int) -> Problem {
        Problem(
            .contentTooLarge, kind: "too-large", title: "Body too large",
            detail: "The body must be at most \(bytes) bytes.")
    }

    /// 415: the body isn't of a type that is understood here.
    public static func unsupportedMediaType(expected: String) -> Problem {
        Problem(
            .unsupportedMediaType, kind: "unsupported-media-type", title: "Unsupported media type",
            detail: "Send the body with Content-Type: \(expected).", field: "Content-Type")
    }

    /// 422: it can be read, but one value is missing or wrong.
    public static func invalid(field: String?, _ detail: String, kind: String = "invalid") -> Problem {
        Problem(.unprocessableContent, kind: kind, title: "Invalid request", detail: detail, field: field)
    }

    /// 503: not now, but it is worth another try.
    public static func unavailable(_ detail: String, retryAfterSeconds: Int = 1) -> Problem {
        Problem(
            .serviceUnavailable, kind: "unavailable", title: "Unavailable", detail: detail,
            headers: [.retryAfter: String(retryAfterSeconds)])
    }

    /// 500: our fault. What went wrong is in the log under the correlation id, and nowhere else.
    static let unexpected = Problem(
        .internalServerError, kind: "internal", title: "Internal error",
        detail: "Something went wrong here; the log has it under this answer's X-Correlation-ID.")
}

extension Problem: Encodable {
    private enum CodingKeys: String, CodingKey {
        case type, title, status, detail, field, instance
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.type, forKey: .type)
        try container.encode(self.title, forKey: .title)
        try container.encode(self.status.code, forKey: .status)
        try container.encode(self.detail, forKey: .detail)
        try container.encodeIfPresent(self.field, forKey: .field)
        try container.encodeIfPresent(self.instance, forKey: .instance)
    }
}

extension Problem: HTTPResponseError {
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var problem = self
        if problem.instance == nil { problem.instance = request.uri.path }
        var headers = self.headers
        headers[.contentType] = "application/problem+json"
        let body = try ShopJSON.encoder().encode(problem)
        return Response(status: self.status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
