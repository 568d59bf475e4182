import Contracts
import Messaging
import TestSupport
import Testing

@Suite("The way to the broker") struct BrokerLinkTests {
    private let message = OutboundMessage(body: "{}", attributes: [:])

    @Test("The channels are made before the first use and not again") func ensuresOnce() async throws {
        let broker = FakeTransport(expecting: [.send])
        let link = BrokerLink(transport: broker, topology: .shop) { _, _ in }
        for _ in 1...3 { _ = try await link.use { try await $0.send([message], to: .queue(.order)) } }
        #expect(broker.events.values == [.ensured] + Array(repeating: .sent([message], .queue(.order)), count: 3))
    }

    @Test("Each failure is reported and thrown on; the channels are made again afterwards") func failures() async throws
    {
        let broker = FakeTransport(expecting: [.send])
        let reports = Probe<Bool>()
        let link = BrokerLink(transport: broker, topology: .shop) { isReachable, _ in reports.record(isReachable) }
        broker.fail(.ensure)
        broker.fail(.send)
        for _ in 1...2 {
            await #expect(throws: FakeTransport.Unreachable.self) {
                _ = try await link.use { try await $0.send([message], to: .queue(.order)) }
            }
        }
        _ = try await link.use { try await $0.send([message], to: .queue(.order)) }
        #expect(reports.values == [false, true, false, true])
    }
}

@Suite("Slots for work", .timeLimit(.minutes(1))) struct WorkSlotsTests {
    @Test("Only free slots are taken, and a taker waits for the first") func slots() async {
        let slots = WorkSlots(3)
        #expect(await slots.take(upTo: 2) == 2)
        #expect(await slots.take(upTo: 10) == 1)
        async let waiting = slots.take(upTo: 10)
        slots.give(back: 0)
        slots.give(back: 2)
        #expect((1...2).contains(await waiting))
    }
}
