import Histogram

/// What became of each order of a run. All times are since its start.
struct OrderLoadLedger: Sendable {
    enum Ending: Equatable, Sendable {
        case confirmed
        case cancelled(reason: String)
        /// It was not accepted.
        case refused(String)
        /// It was accepted, and was no further than this when its time was over.
        case lost(status: String)
    }

    struct Entry: Equatable, Sendable {
        let due: Duration
        let sent: Duration
        var accepted: Duration?
        var settled: Duration?
        var ending: Ending?
    }

    private(set) var entries: [Entry] = []
    private(set) var acceptedCount = 0
    private(set) var settledCount = 0
    /// Refused or lost.
    private(set) var failedCount = 0

    var endedCount: Int { settledCount + failedCount }

    var progress: String {
        "\(entries.count) placed, \(acceptedCount) accepted, \(settledCount) settled, \(failedCount) failed"
    }

    /// - Returns: the order's number.
    mutating func placing(due: Duration, sent: Duration) -> Int {
        entries.append(Entry(due: due, sent: sent))
        return entries.count - 1
    }

    mutating func accepted(_ order: Int, at time: Duration) {
        entries[order].accepted = time
        acceptedCount += 1
    }

    mutating func settled(_ order: Int, as ending: Ending, at time: Duration) {
        entries[order].settled = time
        entries[order].ending = ending
        settledCount += 1
    }

    mutating func failed(_ order: Int, as ending: Ending) {
        entries[order].ending = ending
        failedCount += 1
    }

    // MARK: What it comes to

    /// From when each order was due until its 202.
    var acceptedTimes: Histogram<UInt64> { times { $0.accepted } }
    /// From when each order was due until it was seen to be confirmed or cancelled.
    var settledTimes: Histogram<UInt64> { times { $0.settled } }
    /// From when each order was due until it was sent.
    var sentTimes: Histogram<UInt64> { times { $0.sent } }

    private func times(_ moment: (Entry) -> Duration?) -> Histogram<UInt64> {
        var times = LoadReport.Latency.histogram()
        for entry in entries {
            if let moment = moment(entry) { times.record((moment - entry.due).forHistogram) }
        }
        return times
    }

    /// What happened to how many, the most frequent first.
    func tally(_ name: (Ending) -> String?) -> [(name: String, count: Int)] {
        Dictionary(grouping: entries.compactMap { $0.ending.flatMap(name) }, by: \.self)
            .map { (name: $0.key, count: $0.value.count) }
            .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    }
}

extension Duration {
    /// In nanoseconds, as the histograms of latencies take it.
    var forHistogram: UInt64 { UInt64(max(self / .nanoseconds(1), 1000)) }
}
