import Contracts
import Foundation
import Logging
import Messaging
import Metrics
import Persistence
import ServiceLifecycle
import Synchronization
import Tracing

/// Works off a database's effects: performs each outside any transaction, then, in one transaction, records what came
/// of it and removes the row. A crash in between performs an effect again, with the same idempotency key. Of the senders of
/// several processes one works at a time, so that its lanes hold for all of them. Should two do so for a moment, because one has
/// lost its turn and doesn't know yet, then an effect may be performed twice, with one key, and what came of it is recorded once.
public struct EffectSender<WaitClock: Clock<Duration>>: Service {
    private let database: any Database
    private let effects: Effects
    private let outbox: Outbox?
    private let retry: RetryPolicy
    private let logger: Logger
    private let clock: WaitClock
    private let concurrency: Int
    private var performers: [String: Performer] = [:]
    private let busy: EffectsInHand
    private let turn: (any Turn)?

    /// Performs an effect and returns what to write down about it.
    private typealias Performer =
        @Sendable (EffectRow, MessageContext) async throws -> @Sendable (any Transaction) throws -> EffectVerdict

    /// - Parameters:
    ///   - outbox: takes the messages that come of effects; `nil` where none do.
    ///   - retry: how long to wait after an error. There is no last attempt.
    ///   - concurrency: how many effects are performed at once.
    ///   - perLane: how many of them are of one lane, so that a lane can't take all places.
    public init(
        database: any Database, effects: Effects, outbox: Outbox?, logger: Logger,
        retry: RetryPolicy = RetryPolicy(base: .milliseconds(500), longest: .seconds(60)), concurrency: Int = 16,
        perLane: Int = .max, clock: WaitClock = ContinuousClock()
    ) {
        self.database = database
        self.effects = effects
        self.outbox = outbox
        self.logger = logger
        self.retry = retry
        self.concurrency = concurrency
        self.clock = clock
        busy = EffectsInHand(perLane: perLane)
        turn = database.turn(at: "effects", signal: effects.written)
    }

    /// Says how effects of a type are performed.
    /// - Parameters:
    ///   - perform: talks to the other side, giving it the key. What can't succeed however often it is tried is an
    ///     outcome, not an error.
    ///   - record: writes the outcome down and returns the messages that come of it.
    public mutating func on<Kind: Effect, Outcome: Sendable>(
        _ kind: Kind.Type,
        perform: @escaping @Sendable (_ effect: Kind, _ key: String) async throws -> Outcome,
        record: @escaping @Sendable (Kind, Outcome, MessageContext, any Transaction) throws -> [OutgoingMessage]
    ) {
        on(kind) { effect, attempt in
            try await perform(effect, attempt.key)
        } settle: { effect, outcome, attempt, transaction in
            .done(try record(effect, outcome, attempt.context, transaction))
        }
    }

    /// Says how effects of a type are performed that have an end of their own, or can be held back.
    /// - Parameters:
    ///   - perform: talks to the other side, giving it the attempt's key. A failure that counts is an outcome, not an
    ///     error.
    ///   - settle: writes the outcome down and decides what becomes of the effect.
    public mutating func on<Kind: Effect, Outcome: Sendable>(
        _ kind: Kind.Type,
        perform: @escaping @Sendable (_ effect: Kind, EffectAttempt) async throws -> Outcome,
        settle: @escaping @Sendable (Kind, Outcome, EffectAttempt, any Transaction) throws -> EffectVerdict
    ) {
        performers[Kind.kind] = { row, context in
            let effect: Kind = try ContractJSON.decode(from: row.payload)
            let attempt = EffectAttempt(key: row.idempotencyKey, number: row.attempts + 1, context: context)
            let outcome = try await perform(effect, attempt)
            return { try settle(effect, outcome, attempt, $0) }
        }
    }

    /// Runs until shutdown, then finishes what is in hand.
    public func run() async throws {
        let slots = WorkSlots(concurrency)
        await withDiscardingTaskGroup { group in
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let free = await slots.take(upTo: concurrency)
                let (due, next) = await nextEffects(atMost: free)
                slots.give(back: free - due.count)
                for row in due {
                    group.addTask {
                        await work(on: row)
                        slots.give()
                    }
                }
                if due.isEmpty { await pause(until: next) }
            }
        }
        await turn?.end()
    }

    /// - Returns: the effects that are due, and the time of the first one that isn't.
    private func nextEffects(atMost count: Int) async -> (due: [EffectRow], next: Date?) {
        do {
            if let turn { try await cancelWhenGracefulShutdown { while try await !turn.take() {} } }
            let (inHand, fullLanes) = busy.state
            let rows = try await database.read {
                try EffectRow.next(count, except: inHand, fullLanes: fullLanes, in: $0)
            }
            let now = Date()
            let due = busy.take(rows.filter { $0.dueAt <= now }, atMost: count)
            return (due, rows.first { $0.dueAt > now }?.dueAt)
        } catch is CancellationError {
            return ([], nil)
        } catch {
            logger.error("the effects can't be read and are looked for again in 1 s", metadata: ["error": "\(error)"])
            return ([], Date(timeIntervalSinceNow: 1))
        }
    }

    /// Waits for a new or postponed effect, or for the time at which the next one is due.
    private func pause(until next: Date?) async {
        // What is held back is due in a time that clocks can't count to; an hour is as good.
        let untilNext = next.map { Duration.seconds(min(max(0, $0.timeIntervalSinceNow), 3600) + 0.001) }
        let deadline = [untilNext, turn?.lookInterval].compactMap { $0 }.min().map { clock.now.advanced(by: $0) }
        _ = await cancelWhenGracefulShutdown { await effects.written.wait(until: deadline, clock: clock) }
    }

    private func work(on row: EffectRow) async {
        let context = Result { try ContractJSON.decode(MessageContext.self, from: row.context) }
        let serviceContext = (try? context.get().serviceContext) ?? .topLevel
        await withSpan("perform \(row.kind)", context: serviceContext, ofKind: .client) { span in
            span.attributes["shop.effect.attempt"] = row.attempts + 1
            do {
                guard let perform = performers[row.kind] else { throw UnknownEffect(kind: row.kind) }
                let settle = try await perform(row, try context.get())
                let context = MessageContext.current()
                let verdict: EffectVerdict? = try await database.write { transaction in
                    guard try row.isUnchanged(in: transaction) else { return nil }
                    let verdict = try settle(transaction)
                    switch verdict {
                    case .done(let messages):
                        try outbox?.append(messages, context: context, in: transaction)
                        try row.remove(in: transaction)
                    case .again(let date): try row.postpone(to: date, error: nil, in: transaction)
                    case .wait(let date): try row.wait(until: date, in: transaction)
                    }
                    return verdict
                }
                count(row, verdict?.word ?? "overtaken")
            } catch is CancellationError where Task.isCancelled {
                // Cut off by the end of the process; the row is as it was, and the next process performs it.
            } catch {
                span.recordError(error)
                count(row, "failed")
                await postpone(row, after: error)
            }
        }
        busy.remove(row)
        effects.written.raise()
    }

    private func postpone(_ row: EffectRow, after error: any Error) async {
        let delay = retry.delay(attempt: row.attempts + 1)
        logger.warning(
            "an effect failed and is tried again",
            metadata: [
                "kind": "\(row.kind)", "key": "\(row.idempotencyKey)", "attempt": "\(row.attempts + 1)",
                "delay_s": "\(delay.inSeconds)", "error": "\(error)",
            ])
        do {
            let date = Date(timeIntervalSinceNow: delay.inSeconds)
            try await database.write { try row.postpone(to: date, error: "\(error)", in: $0) }
        } catch {
            logger.error("a failed effect could not be postponed", metadata: ["error": "\(error)"])
            // Without the row's new time it is due at once; this keeps the loop from running hot meanwhile.
            try? await clock.sleep(for: delay)
        }
    }

    private func count(_ row: EffectRow, _ outcome: String) {
        Counter(label: "effects", dimensions: [("kind", row.kind), ("outcome", outcome)]).increment()
    }
}

/// A row that a newer version of the service has written; it waits for that version.
private struct UnknownEffect: Error, CustomStringConvertible {
    let kind: String
    var description: String { "This version doesn't know effects of the kind '\(kind)'." }
}

/// What is being performed in this process.
private final class EffectsInHand: Sendable {
    private struct State {
        var ids: Set<String> = []
        var lanes: [String: Int] = [:]
    }

    private let perLane: Int
    private let contents = Mutex(State())

    init(perLane: Int) { self.perLane = perLane }

    var state: (ids: Set<String>, fullLanes: [String]) {
        contents.withLock { state in
            (state.ids, state.lanes.filter { $0.value >= perLane }.map(\.key))
        }
    }

    /// Takes as many as there is room for, the first ones first.
    func take(_ rows: [EffectRow], atMost count: Int) -> [EffectRow] {
        contents.withLock { state in
            var taken: [EffectRow] = []
            for row in rows where taken.count < count {
                if let lane = row.lane {
                    guard state.lanes[lane, default: 0] < perLane else { continue }
                    state.lanes[lane, default: 0] += 1
                }
                state.ids.insert(row.id)
                taken.append(row)
            }
            return taken
        }
    }

    func remove(_ row: EffectRow) {
        contents.withLock { state in
            state.ids.remove(row.id)
            guard let lane = row.lane, let count = state.lanes[lane] else { return }
            state.lanes[lane] = count > 1 ? count - 1 : nil
        }
    }
}
