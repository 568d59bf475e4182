import Contracts
import Messaging
import Outbox
import Persistence

/// A service's handlers over a real database with inbox and outbox: message in, messages out.
public struct HandlerHarness: Sendable {
    public let database: any Database
    public let outbox: Outbox
    public var handlers: MessageHandlers

    public init(service: String, database: any Database) {
        self.database = database
        outbox = Outbox(service: service)
        handlers = MessageHandlers(consumer: service, database: database, outbox: outbox, logger: .silent)
    }

    /// Delivers an event.
    /// - Parameter id: the same for a redelivery.
    /// - Returns: the types of the messages that it led to, in their order.
    public func deliver<Payload: MessagePayload>(
        _ payload: Payload, id: String = UUIDv7.make()
    ) async throws -> [String] {
        let event = CloudEvent.sample(payload, id: id)
        try await handlers.handle(IncomingEvent(attributes: event.attributes, body: try event.json()))
        return try await takeSent()
    }

    /// Empties the outbox.
    /// - Returns: the types of the messages that were in it, in their order.
    public func takeSent() async throws -> [String] {
        try await database.write { transaction in
            let types: [String] = try transaction.rows("SELECT type FROM outbox ORDER BY id").map { try $0.get("type") }
            try transaction.execute("DELETE FROM outbox")
            return types
        }
    }
}
