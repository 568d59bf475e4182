import Contracts
import Testing

@testable import Order

@Suite("Gathering the parts of a quote") struct GatheringTests {
    static let availability = Gathering.Answer.availability(
        AvailabilityChecked(isAvailable: true, shipsOn: "2026-03-02", items: []))
    static let discount = Gathering.Answer.discount(
        DiscountCalculated(
            customerId: "ada", points: 500, percent: 5, amount: Money(amountMinorUnits: 145, currency: "EUR")))
    static let fee = Gathering.Answer.fee(
        FeeCalculated(paymentMethod: .ok, amount: Money(amountMinorUnits: 44, currency: "EUR")))

    private func asked(within limit: Duration = .milliseconds(300)) -> Gathering {
        var gathering = Gathering(within: limit)
        for part in Gathering.Part.allCases { gathering.take(.asked(part), at: .zero) }
        return gathering
    }

    @Test("It is over as soon as all parts are here, whatever their order") func complete() {
        var gathering = asked()
        for answer in [Self.fee, Self.availability] { gathering.take(.answered(answer), at: .milliseconds(20)) }
        #expect(!gathering.isOver && !gathering.isComplete)
        gathering.take(.answered(Self.discount), at: .milliseconds(30))
        #expect(gathering.isOver && gathering.isComplete)
        #expect(gathering[.discount] == .here(Self.discount))
    }

    @Test("When the time is up, what hasn't come is missing and comes no more") func late() {
        var gathering = asked()
        gathering.take(.answered(Self.fee), at: .milliseconds(20))
        gathering.take(.timeIsUp, at: .milliseconds(300))
        #expect(gathering.isOver && !gathering.isComplete)
        gathering.take(.answered(Self.discount), at: .milliseconds(301))
        #expect(gathering[.fee] == .here(Self.fee))
        #expect(gathering[.discount] == .waiting && gathering[.availability] == .waiting)
    }

    @Test("An answer at the limit is late, even if the clock's word comes after it") func race() {
        var gathering = asked()
        gathering.take(.answered(Self.fee), at: .milliseconds(300))
        #expect(gathering.isOver && gathering[.fee] == .waiting)
        var inTime = asked()
        inTime.take(.answered(Self.fee), at: .milliseconds(299))
        #expect(!inTime.isOver && inTime[.fee] == .here(Self.fee))
    }

    @Test("What failed isn't waited for, and its first word counts") func failed() {
        var gathering = asked()
        gathering.take(.answered(Self.fee), at: .milliseconds(1))
        gathering.take(.failed(.fee, .refused("no")), at: .milliseconds(2))
        gathering.take(.failed(.availability, .unreachable("gone")), at: .milliseconds(3))
        gathering.take(.answered(Self.availability), at: .milliseconds(4))
        #expect(gathering[.fee] == .here(Self.fee))
        #expect(gathering[.availability] == .failed(.unreachable("gone")))
        gathering.take(.answered(Self.discount), at: .milliseconds(5))
        #expect(gathering.isOver && !gathering.isComplete)
    }

    @Test("Asked in turn, those after a straggler were never asked") func inTurn() {
        var gathering = Gathering(within: .milliseconds(300))
        gathering.take(.asked(.availability), at: .zero)
        gathering.take(.timeIsUp, at: .milliseconds(300))
        gathering.take(.asked(.discount), at: .milliseconds(301))
        #expect(gathering[.availability] == .waiting)
        #expect(gathering[.discount] == .notAsked && gathering[.fee] == .notAsked)
    }
}
