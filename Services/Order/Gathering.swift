import Contracts

/// Gathers the parts of a quote until all have come or the time is up (Enterprise Integration Patterns: Aggregator).
///
/// A value that is told what happens and when, and knows neither broker nor clock. Times count from the question.
struct Gathering: Equatable, Sendable {
    /// What a quote is made of besides the prices.
    enum Part: String, CaseIterable, Sendable {
        case availability, discount, fee

        /// Who knows it.
        var service: String {
            switch self {
            case .availability: "inventory"
            case .discount: "loyalty"
            case .fee: "payment"
            }
        }
    }

    /// A part that has come.
    enum Answer: Equatable, Sendable {
        case availability(AvailabilityChecked)
        case discount(DiscountCalculated)
        case fee(FeeCalculated)

        var part: Part {
            switch self {
            case .availability: .availability
            case .discount: .discount
            case .fee: .fee
            }
        }
    }

    /// Why a part won't come, in a sentence.
    enum Failure: Equatable, Sendable {
        /// The service says so.
        case refused(String)
        /// The service, or the broker on the way to it, can't be reached.
        case unreachable(String)
    }

    /// What can happen.
    enum Event: Equatable, Sendable {
        case asked(Part)
        case answered(Answer)
        case failed(Part, Failure)
        case timeIsUp
    }

    /// How it is with one part.
    enum Standing: Equatable, Sendable {
        case notAsked, waiting
        case here(Answer)
        case failed(Failure)

        fileprivate var isDecided: Bool {
            switch self {
            case .notAsked, .waiting: false
            case .here, .failed: true
            }
        }
    }

    let limit: Duration
    private var standings: [Part: Standing] = [:]
    private var isClosed = false

    init(within limit: Duration) { self.limit = limit }

    subscript(part: Part) -> Standing { standings[part] ?? .notAsked }

    /// Whether nothing more is waited for.
    var isOver: Bool { isClosed || Part.allCases.allSatisfy { self[$0].isDecided } }

    /// Whether all parts are here.
    var isComplete: Bool {
        Part.allCases.allSatisfy { if case .here = self[$0] { true } else { false } }
    }

    /// Takes note of something. From the limit on nothing counts, whatever is told first: an answer that comes with the
    /// deadline is late, however the two are raced.
    mutating func take(_ event: Event, at time: Duration) {
        if time >= limit { isClosed = true }
        guard !isClosed else { return }
        switch event {
        case .asked(let part): if !self[part].isDecided { standings[part] = .waiting }
        case .answered(let answer): if !self[answer.part].isDecided { standings[answer.part] = .here(answer) }
        case .failed(let part, let failure): if !self[part].isDecided { standings[part] = .failed(failure) }
        case .timeIsUp: isClosed = true
        }
    }
}
