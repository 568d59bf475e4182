import Foundation
import Testing
import Webhooks

@Suite("When a webhook is sent again") struct RetryScheduleTests {
    private let noon = Date(timeIntervalSince1970: 1_772_366_400)

    @Test("Ten attempts over about three days") func standard() {
        #expect(RetrySchedule.standard.delays.count == 9)
        #expect(RetrySchedule.standard.total == .seconds(75 * 3600 + 35 * 60 + 5))
        #expect(RetrySchedule.standard.scaled(by: 0.001).delays[1] == .milliseconds(300))
    }

    @Test("The jitter is a fifth in either direction") func jitter() {
        let schedule = RetrySchedule.standard
        #expect(schedule.delay(afterAttempt: 1, jitter: { $0.lowerBound }) == .seconds(4))
        #expect(schedule.delay(afterAttempt: 1, jitter: { $0.upperBound }) == .seconds(6))
        #expect(Set((1...50).map { _ in schedule.delay(afterAttempt: 9) }).count > 1)
        #expect(schedule.delay(afterAttempt: 10) == nil)
        #expect(schedule.delay(afterAttempt: 0) == nil)
    }

    @Test("Retry-After can only make the wait longer") func retryAfter() {
        let schedule = RetrySchedule.standard
        #expect(schedule.delay(afterAttempt: 1, retryAfter: .seconds(90)) == .seconds(90))
        #expect(schedule.delay(afterAttempt: 2, retryAfter: .seconds(90), jitter: { _ in 1 }) == .seconds(300))
        #expect(schedule.delay(afterAttempt: 10, retryAfter: .seconds(90)) == nil)
    }

    @Test(
        "Retry-After is a number of seconds or a date in one of three forms",
        arguments: [
            ("120", 120), (" 0 ", 0), ("99999999999999999999999", 86_400), ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
            ("Sunday, 01-Mar-26 12:01:30 GMT", 90), ("Sun Mar  1 12:01:30 2026", 90),
            ("Sun, 01 Mar 2026 11:00:00 GMT", 0), ("Fri, 01 Jan 2027 00:00:00 GMT", 86_400), ("soon", nil), ("-5", nil),
            ("1.5", nil), ("", nil),
        ] as [(String, Int?)])
    func parsing(value: String, seconds: Int?) {
        #expect(RetryAfter.parse(value, now: noon) == seconds.map { .seconds($0) })
    }
}
