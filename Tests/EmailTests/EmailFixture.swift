import Contracts
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import Messaging
import Outbox
import Persistence
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Email

/// The service's parts on a database of their own, with a transport that does what the test says.
struct EmailFixture: Sendable {
    let database: ObservedDatabase
    let store: MailStore
    let handlers: MessageHandlers
    let chassis: Chassis
    private let sender: EffectSender<ContinuousClock>

    static func run(transport: any MailTransport, _ body: (EmailFixture) async throws -> Void) async throws {
        try await withTemporaryDatabase(MailStore.migrations) { database in
            try await body(try EmailFixture(database: database, transport: transport))
        }
    }

    private init(database: any Database, transport: any MailTransport) throws {
        let database = ObservedDatabase(database)
        self.database = database
        store = MailStore(database: database)
        chassis = Chassis(
            configuration: try ServiceConfiguration(service: "email", defaultPort: 0, environment: [:]), logger: .silent
        )
        let effects = Effects()
        var handlers = MessageHandlers(
            consumer: "email", database: database, outbox: Outbox(service: "email"), logger: .silent)
        MailWriter(store: store, templates: try MailTemplates(), effects: effects, logger: .silent).register(
            on: &handlers)
        self.handlers = handlers
        var sender = EffectSender(
            database: database, effects: effects, outbox: nil, logger: .silent,
            retry: RetryPolicy(base: .milliseconds(1), longest: .milliseconds(1)))
        MailCarrier(
            store: store, transport: transport, from: try address("shop@example.com"), readiness: chassis.readiness,
            logger: .silent
        ).register(on: &sender)
        self.sender = sender
    }

    func handle(_ event: CloudEvent<some MessagePayload>) async throws {
        try await handlers.handle(IncomingEvent(attributes: event.attributes, body: try event.json()))
    }

    /// Delivers until a mail is settled.
    /// - Returns: the mail.
    @discardableResult func deliver(until id: MailID) async throws -> Mail {
        try await withRunning(sender) { _ in
            while true {
                let written = database.writes.values.count
                let mail = try #require(try await store.mail(id))
                if mail.status != .waiting { return mail }
                try #require(await database.writes.first(written + 1).count == written + 1)
            }
        }
    }

    func effectCount() async throws -> Int {
        try await database.read { try $0.rows("SELECT kind FROM effects").count }
    }

    func get(_ path: String) async throws -> (status: HTTPResponse.Status, body: Data) {
        let router = chassis.router()
        Routes(store: store).add(to: router)
        return try await Assembly(router: router).application().test(.router) { client in
            let response = try await client.execute(uri: path, method: .get)
            return (response.status, Data(buffer: response.body))
        }
    }
}

/// Tells of each transaction that was written, and can fail one that settles a mail, as a crash would.
final class ObservedDatabase: Database {
    let writes = Probe<Void>()
    private let database: any Database
    private let failures = Mutex(0)

    init(_ database: any Database) { self.database = database }

    /// The next transaction that removes an effect fails.
    func failNextRemoval() { failures.withLock { $0 = 1 } }

    func read<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value {
        try await database.read(body)
    }

    func write<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value {
        let value = try await database.write { transaction in
            let before = try transaction.rows("SELECT kind FROM effects").count
            let value = try body(transaction)
            if try transaction.rows("SELECT kind FROM effects").count < before, self.takeFailure() { throw Crash() }
            return value
        }
        writes.record(())
        return value
    }

    func close() async throws { try await database.close() }

    private func takeFailure() -> Bool {
        failures.withLock { failures in
            defer { failures = 0 }
            return failures > 0
        }
    }

    private struct Crash: Error {}
}

/// A transport that answers as the test has said, and loudly when it is asked more often.
final class ScriptedTransport: MailTransport {
    let name = "scripted"
    let messages = Probe<MailMessage>()
    private let answers: Mutex<[Result<DeliveryOutcome, any Error>]>

    init(_ answers: Result<DeliveryOutcome, any Error>...) { self.answers = Mutex(answers) }

    func deliver(_ message: MailMessage) async throws -> DeliveryOutcome {
        messages.record(message)
        let answer = answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        guard let answer else {
            Issue.record("The mail \(message.id) was delivered once more than expected.")
            throw Away()
        }
        return try answer.get()
    }

    struct Away: Error {}
}
