import Testing

@testable import Shop

@Suite struct StopSignalTests {
    @Test func allWhoWaitAreWoken() async {
        let signal = StopSignal()
        await withTaskGroup { group in
            for _ in 0..<10 {
                group.addTask { await signal.wait() }
            }
            signal.raise()
        }
        await signal.wait()
        #expect(signal.isRaised)
    }

    @Test func cancellationEndsTheWaitOfOneOnly() async {
        let signal = StopSignal()
        await withTaskGroup { group in
            group.addTask { await signal.wait() }
            group.cancelAll()
        }
        #expect(!signal.isRaised)
    }

    @Test func aBodyIsCutShort() async throws {
        let signal = StopSignal()
        #expect(try await signal.unlessRaised { 1 } == 1)
        signal.raise()
        let value = try await signal.unlessRaised {
            // Ends by cancellation alone.
            await StopSignal().wait()
            try Task.checkCancellation()
            return 1
        }
        #expect(value == nil)
    }
}
