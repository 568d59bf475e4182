import HTTPTypes
import Hummingbird
import ServiceKit

/// Keeps other web sites out. The console has no login, as it is for the machine that it runs on; but any page that is
/// open in the same browser can send requests to that machine.
///
/// - A name that isn't ours in `Host` is another site's, which resolves to this machine (DNS rebinding).
/// - What changes something must come from the page itself, by `Sec-Fetch-Site` and `Origin`, and as JSON, which
///   browsers don't send across sites without asking first.
struct BrowserGuard: RouterMiddleware {
    typealias Context = ShopRequestContext

    let hosts: Set<String>

    /// What every answer tells the browser: nothing from elsewhere, nothing inline, no framing, no guessing of types.
    static let headers: HTTPFields = [
        .contentSecurityPolicy: [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
            "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ].joined(separator: "; "),
        .xContentTypeOptions: "nosniff",
        .referrerPolicy: "no-referrer",
        .crossOriginResourcePolicy: "same-origin",
    ]

    func handle(
        _ request: Request, context: ShopRequestContext,
        next: (Request, ShopRequestContext) async throws -> Response
    ) async throws -> Response {
        if let problem = refusal(of: request) { throw problem }
        var response = try await next(request, context)
        for field in Self.headers where response.headers[field.name] == nil {
            response.headers[field.name] = field.value
        }
        return response
    }

    /// `nil` when the request may pass.
    func refusal(of request: Request) -> Problem? {
        // Spans come from programs, which have no business with these rules, and change nothing but the history.
        guard !request.uri.path.hasPrefix("/v1/"), !request.uri.path.hasPrefix("/health/") else { return nil }
        let authority = request.head.authority ?? ""
        guard hosts.contains(Self.name(of: authority)) else {
            return Problem(
                .misdirectedRequest, kind: "unknown-host", title: "Unknown host",
                detail: "This isn't called '\(authority)'; open it as localhost, or add the name to CONSOLE_HOSTS.",
                field: "Host")
        }
        guard ![.get, .head, .options].contains(request.method) else { return nil }
        let isOwnSite = ["same-origin", "none", nil].contains(request.headers[.secFetchSite])
        let isOwnOrigin = request.headers[.origin].map { $0.hasSuffix("://\(authority)") } ?? true
        guard isOwnSite, isOwnOrigin else {
            return Problem(
                .forbidden, kind: "cross-site", title: "Cross-site request",
                detail: "What changes something must come from the console's own page.", field: "Origin")
        }
        return nil
    }

    /// The host without its port; IPv6 addresses keep their brackets.
    static func name(of authority: String) -> String {
        let end = authority.lastIndex(of: "]") ?? authority.startIndex
        let name = authority[end...].lastIndex(of: ":").map { authority[..<$0] } ?? authority[...]
        return name.lowercased()
    }
}

extension HTTPField.Name {
    static let referrerPolicy = HTTPField.Name("Referrer-Policy")!
    static let crossOriginResourcePolicy = HTTPField.Name("Cross-Origin-Resource-Policy")!
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
