import Contracts
import Foundation
import Messaging
import Synchronization
import Telemetry
import TestSupport
import Testing
import Tracing

@Suite("Working off a queue", .timeLimit(.minutes(1))) struct QueueConsumerTests {
    struct Hiccup: Error {}

    @Test("A message is acknowledged after its handler and not before") func acknowledgesAfterwards() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let started = Probe<IncomingEvent>()
        let mayEnd = Gate()
        let event = CloudEvent.sample(StockReserved(orderId: "order-1"))
        let consumer = consumer(of: broker) { event in
            started.record(event)
            await mayEnd.pass()
        }
        try await withRunning(consumer) { _ in
            let message = broker.deliver(try event.json())
            let received = try #require(await started.first { _ in true })
            #expect(received.attributes == event.attributes)
            #expect(!broker.events.values.contains(.acknowledged(message)))
            mayEnd.open()
            await broker.events.first { $0 == .acknowledged(message) }
        }
    }

    @Test("The handler works in the context of the message") func context() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let correlationIDs = Probe<String?>()
        let consumer = consumer(of: broker) { _ in
            correlationIDs.record(ServiceContext.current?.correlationID)
        }
        try await withRunning(consumer) { _ in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1"), correlationID: "from-afar").json())
            #expect(await correlationIDs.first { _ in true } == "from-afar")
            await broker.events.first { $0.isAcknowledged }
        }
    }

    @Test("A message whose handler failed is made visible again within the delay") func retries() async throws {
        let broker = FakeTransport(expecting: [.receive, .changeVisibility])
        try await withRunning(consumer(of: broker) { _ in throw Hiccup() }) { _ in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1")).json(), receiveCount: 3)
            let delay = try #require(await broker.events.first { $0.visibilityDelay != nil }?.visibilityDelay)
            #expect((Duration.zero ... .seconds(4)).contains(delay))
        }
    }

    @Test("A message whose last attempt failed goes to the dead letters with the reason") func lastAttempt()
        async throws
    {
        let broker = FakeTransport(expecting: [.receive, .deadLetter])
        try await withRunning(consumer(of: broker) { _ in throw Hiccup() }) { _ in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1")).json(), receiveCount: 5)
            let reason = await broker.events.first { $0.deadLetterReason != nil }?.deadLetterReason
            #expect(reason == "Failed 5 times, the last time with: Hiccup()")
        }
    }

    @Test(
        "What isn't a CloudEvent goes to the dead letters without a handler being asked",
        arguments: [
            ("hello", "The message isn't a CloudEvent in JSON."), ("", "The message isn't a CloudEvent in JSON."),
            ("[]", "The message isn't a CloudEvent in JSON."),
            (#"{"specversion":"1.0"}"#, "The message isn't a CloudEvent: 'id' is missing."),
            (
                #"{"specversion":"0.3","id":"1","source":"/","type":"t","subject":"s","time":"2026-03-01T12:00:00Z","correlationid":"c"}"#,
                "The message is a CloudEvent of version '0.3'; only 1.0 is known."
            ),
        ])
    func poison(body: String, reason: String) async throws {
        let broker = FakeTransport(expecting: [.receive, .deadLetter, .acknowledge])
        let handled = Probe<String>()
        try await withRunning(consumer(of: broker) { handled.record($0.attributes.id) }) { _ in
            broker.deliver(body)
            #expect(await broker.events.first { $0.deadLetterReason != nil }?.deadLetterReason == reason)
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1"), id: "behind").json())
            #expect(await handled.first { _ in true } == "behind")
            await broker.events.first { $0.isAcknowledged }
        }
        #expect(handled.values == ["behind"])
    }

    @Test("A message that has lost its worth is dropped") func expired() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let handled = Probe<String>()
        try await withRunning(consumer(of: broker) { handled.record($0.attributes.id) }) { _ in
            for (id, expiry) in [("late", Date.distantPast), ("in time", .distantFuture)] {
                let event = CloudEvent.sample(StockReserved(orderId: "1"), id: id, expirytime: expiry)
                broker.deliver(try event.json())
            }
            await broker.events.first(2) { $0.isAcknowledged }
        }
        #expect(handled.values == ["in time"])
    }

    @Test("As long as a handler runs its message stays hidden") func extendsVisibility() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge, .changeVisibility])
        let clock = ManualClock()
        let mayEnd = Gate()
        try await withRunning(consumer(of: broker, clock: clock) { _ in await mayEnd.pass() }) { _ in
            let message = broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1")).json())
            for round in 1...3 {
                let sleeps = await clock.sleeps.first(round)
                #expect(sleeps.last == .seconds(15))
                #expect(broker.events.values.filter { $0.visibilityDelay != nil }.count == round - 1)
                clock.advance(by: .seconds(15))
                await broker.events.first(round) { $0 == .visibilityChanged(message, .seconds(30)) }
            }
            mayEnd.open()
            await broker.events.first { $0.isAcknowledged }
        }
    }

    @Test("No more is received than can be worked on") func boundedConcurrency() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let running = Mutex((now: 0, most: 0))
        let started = Probe<Void>()
        let mayEnd = Gate()
        let settings = ConsumerSettings.patient(concurrency: 3)
        let consumer = consumer(of: broker, settings: settings) { _ in
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
            }
            started.record(())
            await mayEnd.pass()
            running.withLock { $0.now -= 1 }
        }
        for number in 1...8 {
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1"), id: "\(number)").json())
        }
        try await withRunning(consumer) { _ in
            await started.first(3)
            mayEnd.open()
            await broker.events.first(8) { $0.isAcknowledged }
        }
        #expect(running.withLock { $0.most } == 3)
        for case .polled(let count) in broker.events.values { #expect((1...3).contains(count)) }
    }

    @Test("Shutdown waits for what is in hand and receives nothing more") func shutdown() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let started = Probe<Void>()
        let mayEnd = Gate()
        let consumer = consumer(of: broker) { _ in
            started.record(())
            await mayEnd.pass()
        }
        try await withRunning(consumer) { group in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1")).json())
            await started.first(1)
            await group.triggerGracefulShutdown()
            await broker.events.first { $0 == .pollCancelled }
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "2")).json())
            mayEnd.open()
        }
        #expect(broker.events.values.filter { $0.isAcknowledged }.count == 1)
        #expect(started.values.count == 1)
    }

    @Test("A message that was handled never is a dead letter, even if that can't be told at its last delivery")
    func lostAcknowledgement() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        broker.fail(.acknowledge)
        try await withRunning(consumer(of: broker) { _ in }) { _ in
            let event = try CloudEvent.sample(StockReserved(orderId: "1")).json()
            broker.deliver(event, receiveCount: 5)
            broker.deliver(event, receiveCount: 6)
            await broker.events.first { $0.isAcknowledged }
        }
    }

    @Test("A broker that is away is asked again after a growing pause, and its channels are made again")
    func brokerAway() async throws {
        let broker = FakeTransport(expecting: [.receive, .acknowledge])
        let clock = ManualClock()
        broker.fail(.receive, times: 3)
        let reports = Probe<Bool>()
        let link = BrokerLink(transport: broker, topology: .shop) { isReachable, _ in reports.record(isReachable) }
        let consumer = QueueConsumer(
            link: link, queue: .order, settings: ConsumerSettings(), logger: .silent, clock: clock
        ) { _ in }
        try await withRunning(consumer) { _ in
            broker.deliver(try CloudEvent.sample(StockReserved(orderId: "1")).json())
            for pause in 1...3 {
                await clock.sleeps.first(pause)
                clock.advance(by: .seconds(2))
            }
            await broker.events.first { $0.isAcknowledged }
        }
        #expect(reports.values == [true, false, true, false, true, false, true])
        #expect(broker.events.values.filter { $0 == .ensured }.count == 4)
    }

    private func consumer(
        of broker: FakeTransport, settings: ConsumerSettings = .patient(),
        handle: @escaping @Sendable (IncomingEvent) async throws -> Void
    ) -> QueueConsumer<ContinuousClock> {
        consumer(of: broker, settings: settings, clock: ContinuousClock(), handle: handle)
    }

    private func consumer<WaitClock: Clock<Duration>>(
        of broker: FakeTransport, settings: ConsumerSettings = ConsumerSettings(), clock: WaitClock,
        handle: @escaping @Sendable (IncomingEvent) async throws -> Void
    ) -> QueueConsumer<WaitClock> {
        QueueConsumer(
            link: BrokerLink(transport: broker, topology: .shop) { _, _ in }, queue: .order, settings: settings,
            logger: .silent, clock: clock, handle: handle)
    }
}
