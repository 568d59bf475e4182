import Contracts
import Foundation
import Logging
import Messaging
import Metrics
import Persistence
import ServiceLifecycle
import Tracing

/// Sends what is in the outbox, in order per partition key, and removes a row once the broker has it on disk. It wakes
/// on commit, of whichever process. A crash between sending and removing sends a message twice, which its consumers
/// recognise by its id.
///
/// Of the relays of several processes one works at a time. Should two do so for a moment, because one has lost its turn
/// and doesn't know yet, then messages are sent twice, but no key's out of their order: each sends only the oldest row of
/// a key, whose predecessors the broker has, for they are gone from the table.
public struct Relay<WaitClock: Clock<Duration>>: Service {
    private let database: any Database
    private let outbox: Outbox
    private let link: BrokerLink
    private let logger: Logger
    private let clock: WaitClock
    private let backoff = RetryPolicy(base: .milliseconds(100), longest: .seconds(2))

    /// How many rows are looked at together.
    private static var page: Int { 200 }
    /// Longer than a broker keeps a message (SQS: at most 14 days), so that no duplicate outlives its inbox row.
    private static var inboxRetention: TimeInterval { 15 * 24 * 3600 }

    public init(
        database: any Database, outbox: Outbox, link: BrokerLink, logger: Logger, clock: WaitClock = ContinuousClock()
    ) {
        self.database = database
        self.outbox = outbox
        self.link = link
        self.logger = logger
        self.clock = clock
    }

    /// Runs until shutdown; what is not sent by then is sent after the next start.
    public func run() async throws {
        let turn = database.turn(at: "outbox", signal: outbox.written)
        await cancelWhenGracefulShutdown {
            await forgetOldMessages()
            var failures = 0
            while !Task.isCancelled {
                do {
                    if try await turn?.take() ?? true {
                        if try await sendPage() { await rest(atMost: turn?.lookInterval) }
                    } else {
                        // So that each process says how much waits, whichever of them is asked.
                        try await look(atMost: 1)
                    }
                    failures = 0
                } catch {
                    guard !Task.isCancelled else { return }
                    failures += 1
                    if failures == 1 {
                        logger.warning(
                            "messages wait in the outbox until the broker takes them", metadata: ["error": "\(error)"])
                    }
                    try? await clock.sleep(for: backoff.delay(attempt: failures))
                }
            }
        }
        await turn?.end()
    }

    /// Waits for a commit, or as long as one may go unnoticed.
    private func rest(atMost lookInterval: Duration?) async {
        await outbox.written.wait(until: lookInterval.map { clock.now.advanced(by: $0) }, clock: clock)
    }

    /// The oldest rows. Says how many there are.
    @discardableResult
    private func look(atMost limit: Int) async throws -> (oldest: [OutboxRow], count: Int64) {
        let (rows, count) = try await database.read { transaction in
            (try OutboxRow.oldest(limit, in: transaction), try OutboxRow.count(in: transaction))
        }
        note(count, oldest: rows.first)
        return (rows, count)
    }

    /// - Returns: whether nothing is left of what was there.
    /// - Throws: if any message could not be handed over.
    private func sendPage() async throws -> Bool {
        let (rows, count) = try await look(atMost: Self.page)
        let plan = RelayPlan(rows)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for batch in plan.batches { group.addTask { try await send(batch) } }
            // All are awaited, so that one that fails doesn't cut off the others.
            var failure: (any Error)?
            while let result = await group.nextResult() {
                if case .failure(let error) = result { failure = error }
            }
            if let failure { throw failure }
        }
        // What has come meanwhile has raised the signal, so there is no need to look whether it is empty now.
        let isDone = plan.rowCount == count
        if isDone { note(0, oldest: nil) }
        return isDone
    }

    private func note(_ depth: Int64, oldest: OutboxRow?) {
        Gauge(label: "outbox.depth").record(depth)
        Gauge(label: "outbox.oldest_age_seconds").record(
            oldest.map { max(0, -$0.createdAt.timeIntervalSinceNow) } ?? 0)
    }

    private func send(_ batch: RelayPlan.Batch) async throws {
        let now = Date()
        let messages = batch.rows.map { row in
            // A message that was to be delayed counts from its transaction, however long it had to wait here.
            let delay = row.visibleAt.map { max(0, $0.timeIntervalSince(now)) } ?? 0
            return OutboundMessage(body: row.body, attributes: ["type": row.type], delay: .seconds(delay))
        }
        let refusals = try await inSpans(of: batch) {
            try await link.use { try await $0.send(messages, to: batch.destination) }
        }
        let accepted = zip(batch.rows, refusals).filter { $0.1 == nil }.map(\.0.id)
        if !accepted.isEmpty {
            try await database.write { try OutboxRow.remove(accepted, in: $0) }
            Counter(
                label: "messaging.client.sent.messages",
                dimensions: [("messaging.destination.name", batch.destination.channel)]
            )
            .increment(by: accepted.count)
        }
        if let refusal = refusals.compactMap({ $0 }).first { throw refusal }
    }

    /// Sends a batch with a span for each message in that message's own trace, by OpenTelemetry's conventions for messaging.
    private func inSpans(
        of batch: RelayPlan.Batch, _ send: () async throws -> [SendRefusal?]
    ) async throws -> [SendRefusal?] {
        let spans = batch.rows.map { row in
            let span = startSpan(
                "send \(batch.destination.channel)", context: row.context?.serviceContext ?? .topLevel,
                ofKind: .producer)
            span.updateAttributes {
                $0["messaging.system"] = batch.destination.system
                $0["messaging.operation.type"] = "send"
                $0["messaging.operation.name"] = "send"
                $0["messaging.destination.name"] = batch.destination.channel
                if batch.rows.count > 1 { $0["messaging.batch.message_count"] = batch.rows.count }
                $0["shop.message.type"] = row.type
                $0["shop.outbox.waited_ms"] = max(0, Int(-row.createdAt.timeIntervalSinceNow * 1000))
            }
            return span
        }
        defer { for span in spans { span.end() } }
        do {
            let refusals = try await send()
            for (span, refusal) in zip(spans, refusals) {
                if let refusal { span.recordError(refusal) }
            }
            return refusals
        } catch {
            for span in spans { span.recordError(error) }
            throw error
        }
    }

    /// Inbox rows of messages that no broker can still hold.
    private func forgetOldMessages() async {
        do {
            let oldest = Date(timeIntervalSinceNow: -Self.inboxRetention)
            try await database.write { try Inbox.forget(receivedBefore: oldest, in: $0) }
        } catch {
            logger.warning("old inbox rows could not be removed", metadata: ["error": "\(error)"])
        }
    }
}

extension Destination {
    fileprivate var channel: String {
        switch self {
        case .topic(let topic): topic.rawValue
        case .queue(let queue): queue.rawValue
        }
    }

    /// The messaging system by OpenTelemetry's name.
    fileprivate var system: String {
        switch self {
        case .topic: "aws.sns"
        case .queue: "aws_sqs"
        }
    }
}
