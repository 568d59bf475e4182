import Contracts
import Foundation
import Metrics
import ServiceKit
import Tracing

/// What a quote is asked for.
struct QuoteQuestion: Equatable, Sendable {
    let customer: CustomerID
    let basket: Basket
    let paymentMethod: PaymentMethod
}

/// A way to ask the other services for their parts of a quote.
protocol QuoteSource: Sendable {
    /// Asks for a part and waits for it until it is cancelled.
    /// - Parameter expiry: after this nobody wants it any more.
    /// - Returns: that it was answered, or why not; anything if it was cancelled.
    func ask(for part: Gathering.Part, of question: QuoteQuestion, until expiry: Date) async -> Gathering.Event
}

/// Gets the parts of a quote, all at once over the broker (Enterprise Integration Patterns: Scatter-Gather) or, to
/// compare, one after another over HTTP.
struct QuoteDesk<WaitClock: Clock<Duration>>: Sendable {
    let broker: any QuoteSource
    let http: any QuoteSource
    let clock: WaitClock

    enum Mode: String, CaseIterable, Sendable { case parallel, sequential }

    /// Gathers until all parts have come or failed, at most until the limit.
    func gather(_ question: QuoteQuestion, _ mode: Mode, within limit: Duration) async -> Gathering {
        await withSpan("gather a quote") { span in
            let (events, happened) = AsyncStream<Gathering.Event>.makeStream()
            let expiry = Date(timeIntervalSinceNow: limit / .seconds(1))
            let start = clock.now
            var gathering = Gathering(within: limit)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    try? await clock.sleep(until: start.advanced(by: limit), tolerance: .zero)
                    happened.yield(.timeIsUp)
                }
                switch mode {
                case .parallel:
                    for part in Gathering.Part.allCases {
                        gathering.take(.asked(part), at: .zero)
                        group.addTask { happened.yield(await broker.ask(for: part, of: question, until: expiry)) }
                    }
                case .sequential:
                    group.addTask {
                        for part in Gathering.Part.allCases where !Task.isCancelled {
                            happened.yield(.asked(part))
                            happened.yield(await http.ask(for: part, of: question, until: expiry))
                        }
                    }
                }
                for await event in events {
                    gathering.take(event, at: start.duration(to: clock.now))
                    if gathering.isOver { break }
                }
                group.cancelAll()
            }
            let outcome = gathering.isComplete ? "complete" : "partial"
            span.attributes["shop.quote.mode"] = mode.rawValue
            span.attributes["shop.quote.outcome"] = outcome
            Counter(label: "quotes", dimensions: [("mode", mode.rawValue), ("outcome", outcome)]).increment()
            return gathering
        }
    }
}
