import Contracts
import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Telemetry

/// Answers the questions of other services: takes each from the service's request queue and sends the answer to the
/// return address (Enterprise Integration Patterns: Request-Reply). Questions whose time is over are dropped before they
/// get here.
///
/// A question is never tried again: by then nobody would wait for the answer. What can't be answered is refused at once,
/// with a reason, so that the other side needn't wait for its deadline to know.
public struct Responder: Service {
    private let source: String
    private let queue: Queue
    private let link: BrokerLink
    private let settings: ConsumerSettings
    private let logger: Logger
    private var answers: [String: Answer] = [:]

    private typealias Answer = @Sendable (_ body: String) async throws -> any MessagePayload

    /// - Parameters:
    ///   - service: who answers.
    ///   - queue: where questions come in.
    public init(service: String, queue: Queue, link: BrokerLink, settings: ConsumerSettings, logger: Logger) {
        source = "/services/\(service)"
        self.queue = queue
        self.link = link
        self.settings = settings
        self.logger = logger
    }

    /// A question that has no answer; thrown by who answers.
    public struct Refusal: Error, Equatable {
        /// A sentence for whoever asked.
        public let reason: String

        public init(_ reason: String) { self.reason = reason }
    }

    /// Says how questions of a type are answered.
    /// - Parameter answer: throws ``Refusal`` if there is no answer. Any other error is this service's own, and is told
    ///   to the other side without its details.
    public mutating func on<Request: RequestPayload>(
        _ type: Request.Type, _ answer: @escaping @Sendable (Request) async throws -> Request.Reply
    ) {
        answers[type.type] = { body in
            let request: CloudEvent<Request> = try ContractJSON.decode(from: body)
            return try await answer(request.data)
        }
    }

    /// Runs until shutdown, then finishes what is in hand.
    public func run() async throws {
        try await QueueConsumer(link: link, queue: queue, settings: settings, logger: logger) {
            await respond(to: $0)
        }.run()
    }

    private func respond(to request: IncomingEvent) async {
        let attributes = request.attributes
        guard let address = attributes.replyto else {
            count("without_return_address")
            logger.warning("dropped a question without a return address", metadata: ["message_id": "\(attributes.id)"])
            return
        }
        let reply = await answer(request)
        do {
            let isThere = try await send(reply, to: Queue(rawValue: address), answering: attributes)
            count(isThere ? (reply is RequestRefused ? "refused" : "answered") : "requester_gone")
        } catch {
            count("unsent")
            logger.warning(
                "an answer could not be sent and is dropped",
                metadata: ["message_id": "\(attributes.id)", "error": "\(error)"])
        }
    }

    private func answer(_ request: IncomingEvent) async -> any MessagePayload {
        guard let answer = answers[request.attributes.type] else {
            return RequestRefused(reason: "The question '\(request.attributes.type)' is unknown here.")
        }
        do {
            return try await answer(request.body)
        } catch let refusal as Refusal {
            return RequestRefused(reason: refusal.reason)
        } catch is DecodingError {
            return RequestRefused(reason: "The question isn't a \(request.attributes.type).")
        } catch {
            logger.error(
                "a question could not be answered",
                metadata: ["message_id": "\(request.attributes.id)", "error": "\(error)"])
            return RequestRefused(reason: "Something went wrong there; its log has it under the correlation id.")
        }
    }

    /// - Returns: whether there was a queue to send it to. The asking process may have ended meanwhile, which is no
    ///   failure of the broker.
    private func send(
        _ reply: some MessagePayload, to queue: Queue, answering request: EventAttributes
    ) async throws -> Bool {
        let attributes = EventAttributes(
            id: UUIDv7.make(), source: source, type: type(of: reply).type, subject: request.subject,
            context: .current(causedBy: request), expirytime: request.expirytime)
        let message = OutboundMessage(
            body: try ContractJSON.encode(CloudEvent(attributes: attributes, data: reply)),
            attributes: ["type": attributes.type])
        return try await link.use { transport in
            do {
                if let refusal = try await transport.send([message], to: .queue(queue)).first ?? nil { throw refusal }
                return true
            } catch let error as AWSError where error.isNonExistentQueue {
                return false
            }
        }
    }

    private func count(_ outcome: String) {
        Counter(label: "messaging.client.requests", dimensions: [("queue", queue.rawValue), ("outcome", outcome)])
            .increment()
    }
}
