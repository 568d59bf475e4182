import Messaging
import Testing

@Suite("What becomes of a message that failed") struct RetryPolicyTests {
    struct Hiccup: Error, CustomStringConvertible {
        let description = "the database is busy"
    }

    let policy = RetryPolicy(base: .seconds(1), longest: .seconds(10), maxReceiveCount: 5)

    @Test("What no retry can mend goes to the dead letters at once", arguments: [1, 4, 5])
    func unprocessable(receiveCount: Int) {
        #expect(
            policy.disposition(of: Unprocessable("It isn't JSON."), receiveCount: receiveCount)
                == .deadLetter(reason: "It isn't JSON."))
    }

    @Test("Work that ends with its process is no failure of the message", arguments: [1, 5, 100])
    func cancellation(receiveCount: Int) {
        #expect(policy.disposition(of: CancellationError(), receiveCount: receiveCount) == .retry(after: .zero))
    }

    @Test("Anything else is tried again up to the last chance") func lastChance() {
        for receiveCount in 1...4 {
            guard case .retry = policy.disposition(of: Hiccup(), receiveCount: receiveCount) else {
                Issue.record("attempt \(receiveCount) should be followed by another")
                continue
            }
        }
        for receiveCount in [5, 6, 100] {
            #expect(
                policy.disposition(of: Hiccup(), receiveCount: receiveCount)
                    == .deadLetter(
                        reason: "Failed \(receiveCount) times, the last time with: the database is busy"))
        }
    }

    @Test(
        "The wait is anything from nothing to an exponentially growing, bounded maximum",
        arguments: [(0, 1.0), (1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10), (64, 10), (1_000_000, 10)])
    func fullJitter(attempt: Int, most: Double) {
        var asked: ClosedRange<Double>?
        let wait = policy.delay(attempt: attempt) { range in
            asked = range
            return range.upperBound
        }
        #expect(asked == 0...most)
        #expect(wait == .seconds(most))
        for _ in 0..<100 { #expect((Duration.zero ... .seconds(most)).contains(policy.delay(attempt: attempt))) }
    }

    @Test("The waits of a crowd are spread") func spread() {
        let waits = Set((0..<100).map { _ in policy.delay(attempt: 4) })
        #expect(waits.count > 90)
    }
}
