import Foundation
import Histogram

/// What was published and what came out of each queue: the count, the ids and the times.
struct LoadLedger: Sendable {
    /// When each message was published, in nanoseconds; 0 for one that was not.
    private var publishedAt: [UInt64]
    /// How often each queue delivered each message, up to 255.
    private var received: [[UInt8]]
    private(set) var published = 0
    /// Different messages, for each queue.
    private(set) var distinct: [Int]
    private(set) var duplicates = 0
    private(set) var deleted = 0
    private var publishTimes = LoadReport.Latency.histogram()
    private var deliveryTimes = LoadReport.Latency.histogram()

    init(messages: Int, queues: Int) {
        publishedAt = [UInt64](repeating: 0, count: messages)
        received = [[UInt8]](repeating: [UInt8](repeating: 0, count: messages), count: queues)
        distinct = [Int](repeating: 0, count: queues)
    }

    mutating func publishing(_ message: Int, at time: UInt64) { publishedAt[message] = time }

    mutating func published(_ count: Int, took nanoseconds: UInt64, isMeasured: Bool) {
        published += count
        if isMeasured { publishTimes.record(max(nanoseconds, 1000)) }
    }

    /// - Returns: whether the message was published by this run at all.
    mutating func received(_ message: Int, from queue: Int, at time: UInt64, isMeasured: Bool) -> Bool {
        guard publishedAt.indices.contains(message), publishedAt[message] != 0 else { return false }
        if received[queue][message] == 0 { distinct[queue] += 1 } else { duplicates += 1 }
        received[queue][message] = received[queue][message] == .max ? .max : received[queue][message] + 1
        if isMeasured { deliveryTimes.record(max(time &- publishedAt[message], 1000)) }
        return true
    }

    mutating func deleted(_ count: Int) { deleted += count }

    var publishLatency: LoadReport.Latency? { LoadReport.Latency(publishTimes) }
    var deliveryLatency: LoadReport.Latency? { LoadReport.Latency(deliveryTimes) }
}
