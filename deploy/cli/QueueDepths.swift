/// How many messages each queue has at one moment: waiting, or with a consumer that hasn't acknowledged them yet.
/// Delayed ones don't count, for they are timeouts that almost never come.
struct QueueDepths: Equatable, Sendable {
    let queues: [String: Int]

    private static let parts: Set<Substring> = ["broker_queue_messages", "broker_queue_messages_in_flight"]

    /// Reads the broker's `/metrics`, lines like `broker_queue_messages{queue="order"} 3`.
    init(metrics: String) {
        var queues: [String: Int] = [:]
        for line in metrics.split(separator: "\n") where Self.parts.contains(line.prefix { $0 != "{" }) {
            guard let match = line.wholeMatch(of: #/\w+\{queue="([^"]*)"\} (\d+)/#), let count = Int(match.2) else {
                continue
            }
            queues[String(match.1), default: 0] += count
        }
        self.queues = queues
    }
}
