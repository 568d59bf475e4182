/// A run cut into pieces of equal length, whole seconds, no more than a plot can show.
struct OrderLoadTimeline {
    /// Of the orders that were due in a piece, in milliseconds.
    struct Latency: Equatable {
        let p50: Double
        let p99: Double
        let max: Double

        init?(_ times: [Double]) {
            let times = times.sorted()
            guard let last = times.last else { return nil }
            func at(_ share: Double) -> Double {
                times[Swift.max(0, Int((share * Double(times.count)).rounded(.up)) - 1)]
            }
            p50 = at(0.5)
            p99 = at(0.99)
            max = last
        }
    }

    struct Piece {
        /// In seconds since the start.
        let from: Double
        /// A second.
        fileprivate(set) var placed = 0.0
        fileprivate(set) var accepted = 0.0
        fileprivate(set) var settled = 0.0
        fileprivate var acceptedTimes: [Double] = []
        fileprivate var settledTimes: [Double] = []

        var acceptedLatency: Latency? { Latency(acceptedTimes) }
        var settledLatency: Latency? { Latency(settledTimes) }
    }

    let pieces: [Piece]
    private static let most = 120

    init(_ ledger: OrderLoadLedger) {
        let end = ledger.entries.map { $0.settled ?? $0.accepted ?? $0.sent }.max()?.seconds ?? 0
        let length = max(1, (end / Double(Self.most)).rounded(.up))
        var pieces = (0...Int(end / length)).map { Piece(from: Double($0) * length) }
        func index(_ time: Duration) -> Int { Int(time.seconds / length) }
        for entry in ledger.entries {
            pieces[index(entry.sent)].placed += 1 / length
            if let accepted = entry.accepted {
                pieces[index(accepted)].accepted += 1 / length
                pieces[index(entry.due)].acceptedTimes.append((accepted - entry.due).milliseconds)
            }
            if let settled = entry.settled {
                pieces[index(settled)].settled += 1 / length
                pieces[index(entry.due)].settledTimes.append((settled - entry.due).milliseconds)
            }
        }
        self.pieces = pieces
    }
}
