import Foundation
import Hummingbird
import Messaging
import ServiceKit

/// Dead letters: look, send back, remove.
struct DeadLetterRoutes: Sendable {
    let desk: DeadLetterDesk

    func add(to router: Router<ShopRequestContext>) {
        router.get("/api/dead-letters") { _, _ in
            try await answer { try Response(json: Shelves(queues: await desk.shelves())) }
        }
        router.post("/api/dead-letters/:queue/redrive") { request, context in
            let order = try await request.decode(Order.self)
            let selection = try order.selection()
            if order.body != nil {
                guard case .ids(let ids) = selection, ids.count == 1 else {
                    throw Problem.invalid(field: "body", "An edited body is for one message; give its id alone.")
                }
            }
            return try await answer {
                let count = try await desk.redrive(
                    selection, of: try context.pathParameter("queue"), edited: order.body)
                return try Response(json: Outcome(count: count))
            }
        }
        router.post("/api/dead-letters/:queue/purge") { request, context in
            let selection = try await request.decode(Order.self).selection()
            return try await answer {
                try Response(json: Outcome(count: await desk.purge(selection, of: try context.pathParameter("queue"))))
            }
        }
    }

    private struct Shelves: Encodable {
        let queues: [DeadLetterDesk.Shelf]
    }

    private struct Outcome: Encodable {
        let count: Int
    }

    /// Which messages; exactly one of the first three says it.
    private struct Order: Decodable {
        let messageIds: [String]?
        let reason: String?
        let all: Bool?
        /// For redrive: the edited message.
        let body: String?

        func selection() throws -> DeadLetterDesk.Selection {
            switch (messageIds, reason, all ?? false) {
            case (let ids?, nil, false): return .ids(Set(ids))
            case (nil, let reason?, false): return .reason(reason)
            case (nil, nil, true): return .all
            default:
                throw Problem.invalid(
                    field: "messageIds", "Say which messages: either 'messageIds', 'reason', or 'all': true.")
            }
        }
    }

    private func answer(_ body: () async throws -> Response) async throws -> Response {
        do {
            return try await body()
        } catch let refused as Redelivery.Refused {
            throw Problem.invalid(field: "body", refused.reason)
        } catch DeadLetterDesk.Failure.unknownQueue(let name) {
            throw Problem.notFound("There is no dead-letter queue '\(name)'; GET /api/dead-letters lists them.")
        } catch let error as AWSError where error.status < 500 {
            throw Problem.conflict("The broker refused: \(error.message)", kind: "broker-refused")
        } catch let problem as Problem {
            throw problem
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Problem.unavailable("The broker doesn't answer; see whether it runs.")
        }
    }
}
