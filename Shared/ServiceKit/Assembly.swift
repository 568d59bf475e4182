import HTTPTypes
public import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
public import ServiceLifecycle

/// A service that has been put together: what answers its requests, and what runs beside.
public struct Assembly: Sendable {
    /// Answers requests.
    public let responder: ShopResponder
    /// What runs beside the HTTP server, in dependency order: each may use those before it. The HTTP server starts
    /// after them and stops before them.
    public let services: [any Service]
    private let direct: DirectService?

    /// Closes the router: add all routes before.
    ///
    /// - Parameters:
    ///   - router: from ``Chassis/router(accessLog:)``, with the service's routes.
    ///   - services: what runs beside the HTTP server, in dependency order.
    ///   - direct: answers requests that are too many for what the chassis does for each.
    public init(
        router: Router<ShopRequestContext>, services: [any Service] = [], direct: DirectService? = nil
    ) {
        router.refuseOtherMethods()
        self.responder = ShopResponder(router: router.buildResponder())
        self.services = services
        self.direct = direct
    }

    /// The HTTP server, as it runs in production; tests give it to HummingbirdTesting. It doesn't run ``services``.
    public func application(
        configuration: ApplicationConfiguration = .init(), logger: Logger = .httpServer,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
    ) -> Application<ShopResponder> {
        Application(
            responder: self.responder, server: self.server, configuration: configuration,
            onServerRunning: onServerRunning, logger: logger)
    }

    private var server: HTTPServerBuilder {
        // Longer than the 60 s after which HTTP clients commonly give up an idle connection, so that it is they who
        // close, and never the server under a request that is already on its way.
        let idleTimeout = TimeAmount.seconds(75)
        guard let direct = self.direct else {
            return .http1(
                configuration: .init(additionalChannelHandlers: [DepartureHandler()], idleTimeout: idleTimeout))
        }
        return HTTPServerBuilder { responder in
            DirectHTTP1Channel(service: direct, idleTimeout: idleTimeout, responder: responder)
        }
    }
}

/// Finds the route of a request. A method that HTTP doesn't know by name is like any other that a path doesn't have.
public struct ShopResponder: HTTPResponder {
    let router: RouterResponder<ShopRequestContext>

    public func respond(to request: Request, context: ShopRequestContext) async throws -> Response {
        guard !Request.knownMethods.contains(request.method) else {
            return try await router.respond(to: request, context: context)
        }
        var head = request.head
        head.method = .unknown
        return try await router.respond(to: Request(head: head, body: request.body), context: context)
    }
}

extension HTTPRequest.Method {
    /// Stands for all methods without a name; nobody can send it.
    static let unknown = Self("_UNKNOWN")!
}

extension Logger {
    /// The server's own chatter is left out; requests are logged by the chassis.
    public static var httpServer: Logger {
        var logger = Logger(label: "http")
        logger.logLevel = .warning
        return logger
    }
}

extension Router<ShopRequestContext> {
    /// Hummingbird answers 404 for a path that exists when the method doesn't. RFC 9110, section 15.5.6, has 405 with
    /// `Allow` for it, so each path gets a route for each method that it lacks.
    fileprivate func refuseOtherMethods() {
        let methodsByPath = Dictionary(grouping: self.routes, by: \.path.description)
        for (path, routes) in methodsByPath {
            var allowed = Set(routes.map(\.method))
            if allowed.contains(.get) { allowed.insert(.head) }
            let allow = Array(allowed)
            for method in Request.knownMethods + [.unknown] where !allowed.contains(method) {
                self.on(routes.first?.path ?? RouterPath(path), method: method) { request, _ -> Response in
                    throw Problem.methodNotAllowed(request.method, allow: allow)
                }
            }
        }
    }
}
