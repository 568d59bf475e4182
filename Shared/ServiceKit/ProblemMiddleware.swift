import Foundation
import Hummingbird
import NIOHTTP1

/// Turns every error into an answer, here and nowhere else.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = ShopRequestContext

    func handle(
        _ request: Request, context: ShopRequestContext,
        next: (Request, ShopRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPParserError {
            throw error  // The connection answers these itself and closes.
        } catch let error as HTTPError {
            return try Problem(error, request).response(from: request, context: context)
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        } catch is CancellationError {
            // The client is gone and won't read this, or the service is shutting down.
            let problem = Problem.unavailable("The service is shutting down; send the request again.")
            return try problem.response(from: request, context: context)
        } catch {
            context.logger.error(
                "\(request.method.rawValue) \(context.route ?? request.uri.path) failed unexpectedly.",
                metadata: [
                    "error": .string(String(describing: error)),
                    "error_type": .string(String(reflecting: type(of: error))),
                ])
            // Who can do something about an error, such as of a database that is away, is told by the error itself.
            let suggestion = (error as? any LocalizedError)?.recoverySuggestion
            let problem = suggestion.map { Problem.unavailable($0) } ?? .unexpected
            return try problem.response(from: request, context: context)
        }
    }
}

extension Problem {
    /// What Hummingbird itself throws: no such route, a parameter of the wrong form.
    fileprivate init(_ error: HTTPError, _ request: Request) {
        switch error.status {
        case .notFound where error.body == nil:
            self = .notFound("There is nothing at \(request.uri.path); see /openapi.yaml.")
        case .badRequest:
            self = .malformed(error.body ?? "The request can't be read.")
        default:
            self.init(
                error.status, kind: "http-\(error.status.code)", title: error.status.reasonPhrase,
                detail: error.body ?? error.status.reasonPhrase, headers: error.headers)
        }
    }
}
