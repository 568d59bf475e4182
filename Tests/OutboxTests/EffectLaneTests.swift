import Contracts
import Foundation
import Messaging
import Outbox
import Persistence
import TestSupport
import Testing

@Suite("Effects in lanes, with an end of their own", .timeLimit(.minutes(1))) struct EffectLaneTests {
    struct Call: Effect, Equatable {
        static let kind = "call"
        var text: String
    }

    struct Attempt: Equatable, Sendable {
        let text: String
        let number: Int
    }

    private let context = MessageContext(correlationID: "correlation-1")
    private let effects = Effects()
    private let attempts = Probe<Attempt>()
    private let settled = Probe<String>()

    @Test("A lane takes no more than its places, whatever waits in it") func fullLane() async throws {
        let gate = Gate()
        try await withTemporaryDatabase(Outbox.migrations) { database in
            for number in 1...100 { try await add("slow \(number)", lane: "slow", to: database) }
            for number in 1...100 { try await add("quick \(number)", lane: "quick", to: database) }
            try await add("none", lane: nil, to: database)
            let sender = sender(of: database, perLane: 2) { call, _ in
                if call.text.hasPrefix("slow") { await gate.pass() }
            } verdict: { _ in
                .done([])
            }
            try await withRunning(sender) { _ in
                #expect(await settled.first(101).filter { $0.hasPrefix("slow") }.isEmpty)
                #expect(attempts.values.count { $0.text.hasPrefix("slow") } == 2)
                gate.open()
                await settled.first(201)
            }
        }
    }

    @Test("Attempts are counted, waits are not, and the end is the effect's own") func verdicts() async throws {
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await add("hello", lane: "a", to: database)
            let sender = sender(of: database) { _, _ in
            } verdict: { count in
                switch count {
                case 1, 3: .again(at: Date())
                case 2: .wait(until: Date())
                default: .done([])
                }
            }
            try await withRunning(sender) { _ in await settled.first(4) }
            #expect(attempts.values.map(\.number) == [1, 2, 2, 3])
            #expect(try await database.read { try $0.rows("SELECT * FROM effects").count } == 0)
        }
    }

    @Test("What is held back is performed once its lane is released, and only that lane's") func release() async throws
    {
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await add("one", lane: "a", to: database)
            try await add("two", lane: "b", to: database)
            let sender = sender(of: database) { _, _ in
            } verdict: {
                $0 <= 2 ? .hold : .done([])
            }
            try await withRunning(sender) { _ in
                await settled.first(2)
                try await database.write { [effects] in try effects.release(lane: "a", in: $0) }
                #expect(await settled.first(3).last == "one")
                try await database.write { [effects] in try effects.remove(lane: "b", in: $0) }
            }
            #expect(try await database.read { try $0.rows("SELECT * FROM effects").count } == 0)
        }
    }

    @Test("An effect that waits can be hurried") func hurry() async throws {
        try await withTemporaryDatabase(Outbox.migrations) { database in
            try await add("hello", lane: nil, dueAt: Date(timeIntervalSinceNow: 3600), to: database)
            let sender = sender(of: database) { _, _ in
            } verdict: { _ in
                .done([])
            }
            try await withRunning(sender) { _ in
                try await database.write { [effects] in try effects.hurry(Call.self, key: "hello", in: $0) }
                await settled.first(1)
            }
        }
    }

    // MARK: -

    private func sender(
        of database: any Database, perLane: Int = .max,
        perform: @escaping @Sendable (Call, EffectAttempt) async throws -> Void,
        verdict: @escaping @Sendable (_ count: Int) -> EffectVerdict
    ) -> EffectSender<ContinuousClock> {
        var sender = EffectSender(
            database: database, effects: effects, outbox: nil, logger: .silent, perLane: perLane)
        sender.on(Call.self) { [attempts] call, attempt in
            attempts.record(Attempt(text: call.text, number: attempt.number))
            try await perform(call, attempt)
        } settle: { [settled] call, _, _, transaction in
            transaction.onCommit { settled.record(call.text) }
            return verdict(settled.values.count + 1)
        }
        return sender
    }

    private func add(_ text: String, lane: String?, dueAt: Date = Date(), to database: any Database) async throws {
        try await database.write { [effects, context] transaction in
            try effects.add(
                Call(text: text), key: text, dueAt: dueAt, lane: lane, context: context, in: transaction)
        }
    }
}
