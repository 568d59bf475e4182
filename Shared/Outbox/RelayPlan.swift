import Contracts

/// Which rows of the outbox can be sent together without sending any partition key's messages out of their order.
struct RelayPlan: Equatable {
    /// Rows for one destination, to be sent in one call.
    struct Batch: Equatable {
        let destination: Destination
        var rows: [OutboxRow]
        var bytes: Int
    }

    /// Batches that may be sent side by side.
    private(set) var batches: [Batch] = []

    /// SNS and SQS take 10 messages in a call, SNS 262,144 bytes in all; attributes need some of them.
    private static let mostRows = 10
    private static let mostBytes = 240_000

    /// - Parameter rows: in the order in which they were written.
    ///
    /// A row joins the open batch of its destination. If an earlier row with its key is in another batch of this plan,
    /// it has to wait for the next plan, and so have all later rows with that key.
    init(_ rows: [OutboxRow]) {
        var open: [Destination: Int] = [:]
        var batchOfKey: [String: Int] = [:]
        var waiting: Set<String> = []
        for row in rows where !waiting.contains(row.partitionKey) {
            var index = open[row.destination] ?? batches.endIndex
            if index < batches.endIndex, !hasRoom(batches[index], for: row) { index = batches.endIndex }
            if let earlier = batchOfKey[row.partitionKey], earlier != index {
                waiting.insert(row.partitionKey)
                continue
            }
            if index == batches.endIndex {
                batches.append(Batch(destination: row.destination, rows: [], bytes: 0))
                open[row.destination] = index
            }
            batches[index].rows.append(row)
            batches[index].bytes += row.body.utf8.count
            batchOfKey[row.partitionKey] = index
        }
    }

    private func hasRoom(_ batch: Batch, for row: OutboxRow) -> Bool {
        batch.rows.count < Self.mostRows && batch.bytes + row.body.utf8.count <= Self.mostBytes
    }
}
