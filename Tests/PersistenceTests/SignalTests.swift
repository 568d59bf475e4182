import Persistence
import TestSupport
import Testing

@Suite("Waking a loop", .timeLimit(.minutes(1))) struct SignalTests {
    @Test("A raise is not missed if it comes before the wait") func before() async {
        let signal = Signal()
        signal.raise()
        signal.raise()
        #expect(await signal.wait(until: nil, clock: ManualClock()))
    }

    @Test("A raise, a deadline and a cancellation each end the wait") func endings() async {
        let signal = Signal()
        let clock = ManualClock()
        async let raised = signal.wait(until: clock.now.advanced(by: .seconds(1)), clock: clock)
        await clock.sleeps.first(1)
        signal.raise()
        #expect(await raised)
        async let late = signal.wait(until: clock.now.advanced(by: .seconds(1)), clock: clock)
        await clock.sleeps.first(2)
        clock.advance(by: .seconds(1))
        #expect(await !late)
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await signal.wait(until: nil, clock: clock) }
            group.cancelAll()
            #expect(await group.next() == false)
        }
    }
}
