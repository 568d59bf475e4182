import Contracts
import Foundation
import TestSupport
import Testing

@testable import Order

@Suite("Asking for a quote", .timeLimit(.minutes(1))) struct QuoteDeskTests {
    static let question = QuoteQuestion(
        customer: "ada", basket: Basket(lines: [], total: Money(amountMinorUnits: 2900, currency: "EUR")),
        paymentMethod: .ok)
    static let answers: [Gathering.Part: Gathering.Event] = [
        .availability: .answered(GatheringTests.availability), .discount: .answered(GatheringTests.discount),
        .fee: .answered(GatheringTests.fee),
    ]

    /// Answers what it has an answer for, and keeps the others waiting.
    struct Source: QuoteSource {
        var answers = QuoteDeskTests.answers
        let asked = Probe<Gathering.Part>()
        let never = Gate()

        func ask(for part: Gathering.Part, of question: QuoteQuestion, until expiry: Date) async -> Gathering.Event {
            asked.record(part)
            if let answer = answers[part] { return answer }
            await never.pass()
            return .failed(part, .unreachable("cancelled"))
        }

        /// Fails if it is asked.
        static let unused = Source(answers: [:])
    }

    @Test("All at once: everybody is asked before anybody has answered") func parallel() async {
        let (clock, source) = (ManualClock(), Source(answers: [:]))
        let desk = QuoteDesk(broker: source, http: Source.unused, clock: clock)
        async let gathering = desk.gather(Self.question, .parallel, within: .milliseconds(300))
        #expect(Set(await source.asked.first(3)) == Set(Gathering.Part.allCases))
        await clock.sleeps.first { $0 == .milliseconds(300) }
        clock.advance(by: .milliseconds(300))
        let result = await gathering
        #expect(result.isOver && Gathering.Part.allCases.allSatisfy { result[$0] == .waiting })
    }

    @Test("The answer doesn't wait for the deadline when all is there", arguments: QuoteDesk<ManualClock>.Mode.allCases)
    func complete(mode: QuoteDesk<ManualClock>.Mode) async {
        let source = Source()
        let desk = QuoteDesk(
            broker: mode == .parallel ? source : .unused, http: mode == .sequential ? source : .unused,
            clock: ManualClock())
        let gathering = await desk.gather(Self.question, mode, within: .milliseconds(300))
        #expect(gathering.isComplete)
        if mode == .sequential { #expect(source.asked.values == Gathering.Part.allCases) }
    }

    @Test("A straggler costs its own part at once, and what follows in turn") func straggler() async {
        // What has come is taken in before the time is up: each answer is an event, and in turn so is each question.
        for (mode, events) in [(QuoteDesk<WatchedClock>.Mode.parallel, 2), (.sequential, 3)] {
            var source = Source()
            source.answers[.discount] = nil
            let clock = WatchedClock()
            let desk = QuoteDesk(broker: source, http: source, clock: clock)
            async let gathering = desk.gather(Self.question, mode, within: .milliseconds(300))
            await clock.manual.sleeps.first { $0 == .milliseconds(300) }
            await clock.reads.first(1 + events)
            clock.manual.advance(by: .milliseconds(300))
            let result = await gathering
            #expect(result[.availability] == .here(GatheringTests.availability))
            #expect(result[.discount] == .waiting)
            #expect(result[.fee] == (mode == .parallel ? .here(GatheringTests.fee) : .notAsked))
        }
    }

    /// Tells when it is looked at, which is once at the start and once for each event.
    struct WatchedClock: Clock {
        let manual = ManualClock()
        let reads = Probe<ManualClock.Instant>()

        var now: ManualClock.Instant {
            let now = manual.now
            reads.record(now)
            return now
        }
        var minimumResolution: Duration { manual.minimumResolution }

        func sleep(until deadline: ManualClock.Instant, tolerance: Duration?) async throws {
            try await manual.sleep(until: deadline, tolerance: tolerance)
        }
    }
}
