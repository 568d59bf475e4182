import Foundation
import Logging
import Persistence
import Testing

@testable import Broker

/// The shell around the state machine, with a real database.
struct MessageQueueTests {
    private func withQueues(
        _ folder: TemporaryFolder, clock: any BrokerClock = SystemClock(),
        _ body: (Queues, BrokerStore) async throws -> Void
    ) async throws {
        let store = try await BrokerStore.open(url: "sqlite:\(folder.path)/broker.sqlite")
        let work = BackgroundWork()
        let queues = Queues(store: store, clock: clock, work: work, logger: Logger(label: "test"))
        try await queues.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await work.run() }
            try await body(queues, store)
            group.cancelAll()
        }
        try await store.database.close()
    }

    private func outgoing(_ body: String) -> MessageQueue.Outgoing {
        .init(content: MessageContent(body: body, attributes: [:], sender: "me"), delay: 0)
    }

    @Test func aReceiverWhoHasGoneSwallowsNothing() async throws {
        try await withQueues(TemporaryFolder(), clock: ManualClock()) { queues, _ in
            try await queues.create("work", attributes: QueueAttributes(), tags: [:])
            let queue = try queues.get("work")
            for index in 0..<50 {
                let received = try await withThrowingTaskGroup(of: Int.self) { group in
                    group.addTask {
                        let received = try await queue.receive(maximum: 10, visibility: 30_000, wait: 20_000)
                        try await queue.delete(received.map { handle($0) })
                        return received.count
                    }
                    // The cancellation races with the delivery.
                    if index % 2 == 0 { group.cancelAll() }
                    _ = try await queue.send([outgoing("\(index)")])
                    group.cancelAll()
                    return try await group.next()
                }
                let rest = try await queue.receive(maximum: 10, visibility: 30_000, wait: 0)
                #expect(received.map { $0 + rest.count } == 1, "one of the two gets it")
                try await queue.delete(rest.map { handle($0) })
                #expect(queue.counts() == QueueState.Counts())
            }
        }
    }

    @Test("Of a standard queue 120,000 messages can be in flight, and a receiver who doesn't wait is told so")
    func inFlightLimit() async throws {
        try await withQueues(TemporaryFolder(), clock: ManualClock()) { queues, _ in
            try await queues.create("work", attributes: QueueAttributes(), tags: [:])
            let queue = try queues.get("work")
            for _ in 0..<2001 { _ = try await queue.send((0..<60).map { outgoing("\($0)") }) }
            var received: [QueueState.Delivery] = []
            while received.count < 120_000 {
                let more = try await queue.receive(maximum: 10, visibility: 30_000, wait: 0)
                try #require(!more.isEmpty)
                received += more
            }
            await #expect { try await queue.receive(maximum: 10, visibility: 30_000, wait: 0) } throws: {
                ($0 as? AWSError)?.code == "OverLimit"
            }
            try await queue.delete(received.prefix(3).map { handle($0) })
            let rest = try await queue.receive(maximum: 10, visibility: 30_000, wait: 0)
            #expect(rest.count == 3, "there is room for so many")
        }
    }

    @Test func aMessageIsVisibleAgainThoughItsReceiverLeavesBeforeTheAnswer() async throws {
        try await withQueues(TemporaryFolder(), clock: ManualClock()) { queues, _ in
            try await queues.create("work", attributes: QueueAttributes(), tags: [:])
            let queue = try queues.get("work")
            _ = try await queue.send([outgoing("x")])
            let received = try await queue.receive(maximum: 1, visibility: 30_000, wait: 0)
            let unknown = ReceiptHandle(queue: "work", sequence: 4711, messageID: MessageID.make(), receipt: 1)
            let requests = (received.map { handle($0) } + [unknown]).map {
                MessageQueue.VisibilityRequest(handle: $0, timeout: 0)
            }
            await withTaskGroup(of: Void.self) { group in
                group.cancelAll()
                // It ends when it reads why the other one isn't found.
                group.addTask { _ = try? await queue.changeVisibility(requests) }
            }
            let again = try await queue.receive(maximum: 1, visibility: 30_000, wait: 0)
            #expect(again.map(\.message.receiveCount) == [2])
        }
    }

    @Test func aBacklogBeyondTheWindowIsReadInOrder() async throws {
        let folder = try TemporaryFolder()
        let total = 5000
        try await withQueues(folder) { queues, _ in
            try await queues.create("deep", attributes: QueueAttributes(), tags: [:])
            let queue = try queues.get("deep")
            queue.limitMemory(messages: 2048, contentBytes: 1 << 20)
            for start in stride(from: 0, to: total, by: 100) {
                _ = try await queue.send((start..<start + 100).map { outgoing("\($0)") })
            }
            #expect(queue.counts().visible == total)
            #expect(queue.windowCount <= 2048)
        }
        try await withQueues(folder) { queues, _ in
            let queue = try queues.get("deep")
            #expect(queue.counts().visible == total)
            var received: [Int] = []
            while received.count < total {
                let some = try await queue.receive(maximum: 10, visibility: 30_000, wait: 1000)
                try #require(!some.isEmpty)
                received += some.compactMap { $0.message.content.flatMap { Int($0.body) } }
                try await queue.delete(some.map { handle($0) })
            }
            #expect(received == Array(0..<total))
            #expect(queue.counts() == QueueState.Counts())
        }
    }

    @Test func bodiesGoWithTheirLastCopy() async throws {
        let folder = try TemporaryFolder()
        try await withQueues(folder) { queues, store in
            for name in ["a", "b"] { try await queues.create(name, attributes: QueueAttributes(), tags: [:]) }
            let topics = Topics(
                store: store, queues: queues, identity: try await store.signingIdentity(), clock: SystemClock(),
                work: BackgroundWork())
            try await topics.create("t", attributes: TopicAttributes([:]), tags: [:])
            let caller = Caller(region: "r", baseURL: "http://x", account: "1", requestID: "1", correlationID: "1")
            for name in ["a", "b"] {
                let subscription = try Subscription(
                    id: MessageID.make(), topic: "t", region: "r", kind: .sqs, endpoint: "arn:aws:sqs:r:1:\(name)",
                    attributes: SubscriptionAttributes(["RawMessageDelivery": "true"]))
                _ = try await topics.subscribe(subscription, caller: caller)
            }
            let ids = MessageIDs()
            let notification = Notification(messageID: ids.id(0), message: "m", subject: nil, attributes: [:])
            try await topics.publish([notification], ids: ids, to: topics.get("t"), caller: caller)
            #expect(try await bodies(store) == 1, "one body for two queues")
            for (name, left) in [("a", 1), ("b", 0)] {
                let queue = try queues.get(name)
                let received = try await queue.receive(maximum: 1, visibility: 30_000, wait: 0)
                #expect(received.first?.message.content?.body == "m")
                try await queue.delete(received.map { handle($0) })
                #expect(try await bodies(store) == left)
            }
        }
    }

    @Test func expiredMessagesGoByThemselves() async throws {
        let clock = ManualClock()
        try await withQueues(TemporaryFolder(), clock: clock) { queues, store in
            try await queues.create(
                "short", attributes: QueueAttributes(checking: ["MessageRetentionPeriod": "60"]), tags: [:])
            let queue = try queues.get("short")
            _ = try await queue.send([outgoing("old")])
            clock.advance(seconds: 61)
            #expect(try await queue.receive(maximum: 1, visibility: 30_000, wait: 0).isEmpty)
            while try await bodies(store) > 0 { await Task.yield() }
            #expect(queue.counts() == QueueState.Counts())
        }
    }

    @Test func sequencesAreNeverUsedTwice() async throws {
        let folder = try TemporaryFolder()
        var seen: Set<Int64> = []
        for _ in 0..<3 {
            try await withQueues(folder) { queues, _ in
                try await queues.create("q", attributes: QueueAttributes(), tags: [:])
                let queue = try queues.get("q")
                _ = try await queue.send([outgoing("x"), outgoing("y")])
                let received = try await queue.receive(maximum: 10, visibility: 30_000, wait: 0)
                #expect(received.count == 2)
                for delivery in received { #expect(seen.insert(delivery.message.sequence).inserted) }
                try await queue.delete(received.map { handle($0) })
            }
        }
    }

    @Test func whatIsLeftOfABatchStays() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        try await withQueues(folder, clock: clock) { queues, store in
            try await queues.create("q", attributes: QueueAttributes(), tags: [:])
            let queue = try queues.get("q")
            _ = try await queue.send((0..<10).map { outgoing("\($0)") })
            #expect(try await bodies(store) == 1, "messages that come together are one row")
            let received = try await queue.receive(maximum: 10, visibility: 30_000, wait: 0)
            try await queue.delete([received[0], received[3], received[9]].map { handle($0) })
            // One stands alone from now on, in flight and on disk.
            let change = MessageQueue.VisibilityRequest(handle: handle(received[5]), timeout: 5000)
            #expect(try await queue.changeVisibility([change]) == [nil])
        }
        clock.advance(seconds: 6)
        try await withQueues(folder, clock: clock) { queues, store in
            let queue = try queues.get("q")
            #expect(queue.counts().visible + queue.counts().delayed == 7)
            let received = try await queue.receive(maximum: 10, visibility: 30_000, wait: 20_000)
            let rest = received.count < 7 ? try await queue.receive(maximum: 10, visibility: 30_000, wait: 20_000) : []
            #expect((received + rest).compactMap(\.message.content?.body) == ["1", "2", "4", "6", "7", "8", "5"])
            #expect((received + rest).map(\.message.receiveCount) == [1, 1, 1, 1, 1, 1, 2])
            try await queue.delete((received + rest).map { handle($0) })
            #expect(try await bodies(store) == 0)
        }
    }

    @Test func messagesOfOlderVersionsAreKept() async throws {
        let folder = try TemporaryFolder()
        let url = "sqlite:\(folder.path)/broker.sqlite"
        let older = try await Databases.open(url: url, migrations: Array(BrokerStore.migrations.prefix(4)))
        try await older.write { transaction in
            try transaction.execute(
                """
                INSERT INTO queues (id, name, attributes, tags, created_at_ms, modified_at_ms)
                VALUES (1, 'q', '{}', '{}', 0, 0)
                """)
            try transaction.execute(
                """
                INSERT INTO bodies (id, size, body_digest, attributes, attributes_digest, hole, sender, body)
                VALUES (7, 9, 'd', NULL, NULL, NULL, 'me', 'grüße: 1:2')
                """)
            try transaction.execute(
                """
                INSERT INTO messages (sequence, queue_id, visible_at_ms, sent_at_ms, receive_count, body_id, copies,
                    message_id)
                VALUES (8, 1, 0, \(Date()), 2, 7, 2, '00000000-0000-4000-8000-000000000000')
                """)
            try transaction.execute("UPDATE sequences SET ceiling = 100")
        }
        try await older.close()
        try await withQueues(folder) { queues, store in
            let queue = try queues.get("q")
            let received = try await queue.receive(maximum: 10, visibility: 30_000, wait: 20_000)
            #expect(received.map(\.message.content?.body) == ["grüße: 1:2"])
            #expect(received.map(\.message.content?.bodyDigest) == ["d"])
            #expect(received.map(\.message.receiveCount) == [3])
            try await queue.delete(received.map { handle($0) })
            #expect(try await bodies(store) == 0)
        }
    }

    private func bodies(_ store: BrokerStore) async throws -> Int {
        try await store.database.read { try $0.row("SELECT COUNT(*) AS n FROM batches")?.get("n") ?? 0 }
    }
}

/// The handle of a delivery.
private func handle(_ delivery: QueueState.Delivery) -> ReceiptHandle {
    ReceiptHandle(
        queue: "any", sequence: delivery.message.sequence, messageID: delivery.message.messageID,
        receipt: delivery.receipt)
}
