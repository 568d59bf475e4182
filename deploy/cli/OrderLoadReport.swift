import Foundation
import Histogram

/// What a run of `shop load orders` came to.
struct OrderLoadReport: Encodable, Sendable {
    typealias Latency = LoadReport.Latency

    /// How many orders had the same happen to them.
    struct Group: Encodable, Equatable, Sendable {
        let what: String
        let count: Int
    }

    /// The queues at one moment of the run.
    struct Depths: Equatable, Sendable {
        let at: Duration
        let queues: [String: Int]
    }

    /// Orders a second that were to be placed; `nil` when the shop set the pace.
    let rate: Double?
    /// Orders at a time; `nil` with a rate.
    let concurrency: Int?
    let seconds: Double
    let placed: Int
    let accepted: Int
    let confirmed: Int
    let cancelled: Int
    /// Not accepted.
    let refused: Int
    /// Accepted, and neither confirmed nor cancelled in time.
    let unsettled: Int
    let cancellations: [Group]
    /// What went wrong with those that were refused or didn't settle.
    let errors: [Group]
    let placedPerSecond: Double
    let acceptedPerSecond: Double
    let settledPerSecond: Double
    /// From when an order was due until its 202.
    let acceptedMilliseconds: Latency?
    /// From when an order was due until it was seen to be confirmed or cancelled.
    let settledMilliseconds: Latency?
    /// From when an order was due until it was sent: how well the schedule was kept.
    let sentMilliseconds: Latency?
    /// The most messages that each queue had at one of the moments at which it was looked at, once a second.
    let deepestQueues: [String: Int]

    /// For the plots.
    let ledger: OrderLoadLedger
    let depths: [Depths]

    private enum CodingKeys: String, CodingKey {
        case rate, concurrency, seconds, placed, accepted, confirmed, cancelled, refused, unsettled, cancellations
        case errors, placedPerSecond, acceptedPerSecond, settledPerSecond, acceptedMilliseconds, settledMilliseconds
        case sentMilliseconds, deepestQueues
    }

    init(schedule: OrderSchedule, ledger: OrderLoadLedger, depths: [Depths]) {
        self.ledger = ledger
        self.depths = depths
        switch schedule {
        case .open(let rate, _): (self.rate, concurrency) = (rate, nil)
        case .closed(let concurrency, _): (rate, self.concurrency) = (nil, concurrency)
        }
        placed = ledger.entries.count
        accepted = ledger.acceptedCount
        confirmed = ledger.entries.count { $0.ending == .confirmed }
        cancelled = ledger.settledCount - confirmed
        refused = placed - accepted
        unsettled = accepted - ledger.settledCount
        cancellations = ledger.tally { if case .cancelled(let reason) = $0 { reason } else { nil } }
            .map { Group(what: $0.name, count: $0.count) }
        errors = ledger.tally {
            switch $0 {
            case .confirmed, .cancelled: nil
            case .refused(let what): what
            case .lost(let status): "not settled in time; its status: \(status)"
            }
        }.map { Group(what: $0.name, count: $0.count) }
        // Of a schedule that was kept, its length counts: its last order is placed a little before its end.
        func last(_ moment: (OrderLoadLedger.Entry) -> Duration?) -> Double {
            max(ledger.entries.compactMap(moment).max() ?? .zero, schedule.length ?? .zero).seconds
        }
        func perSecond(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
        seconds = last { $0.settled ?? $0.accepted ?? $0.sent }
        placedPerSecond = perSecond(placed, last(\.sent))
        acceptedPerSecond = perSecond(accepted, last(\.accepted))
        settledPerSecond = perSecond(ledger.settledCount, last(\.settled))
        acceptedMilliseconds = Latency(ledger.acceptedTimes)
        settledMilliseconds = Latency(ledger.settledTimes)
        sentMilliseconds = Latency(ledger.sentTimes)
        deepestQueues = depths.reduce(into: [:]) { $0.merge($1.queues, uniquingKeysWith: max) }.filter { $0.value > 0 }
    }

    /// Each order was accepted and came to an end.
    var isRight: Bool { errors.isEmpty }

    var lines: [String] {
        var lines = [
            String(
                format: "%d orders in %.1f s: placed %.1f/s, accepted %.1f/s, settled %.1f/s", placed, seconds,
                placedPerSecond, acceptedPerSecond, settledPerSecond),
            "\(accepted) accepted, \(confirmed) confirmed, \(cancelled) cancelled\(Self.list(cancellations))",
        ]
        lines += [
            ("accepted", acceptedMilliseconds), ("settled", settledMilliseconds), ("sent late by", sentMilliseconds),
        ]
        .compactMap { name, latency in latency.map { "\(name): \($0.text)" } }
        if !deepestQueues.isEmpty {
            let queues = deepestQueues.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            lines.append("deepest queues: " + queues.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        }
        if isRight { return lines + ["Each order was accepted and settled."] }
        lines.append("WRONG: \(refused) were not accepted, \(unsettled) didn't settle in time.")
        return lines + errors.map { "  \($0.count) × \($0.what)" }
    }

    private static func list(_ groups: [Group]) -> String {
        groups.isEmpty ? "" : " (" + groups.map { "\($0.count) × \($0.what)" }.joined(separator: ", ") + ")"
    }
}
