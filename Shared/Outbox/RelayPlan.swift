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

    /// How many rows are in it.
    var rowCount: Int64 { batches.reduce(0) { $0 + Int64($1.rows.count) } }

    /// SNS and SQS take 10 messages in a call, SNS 262,144 bytes in all; attributes need some of them.
    private static let mostRows = 10
    private static let mostBytes = 240_000

    /// - Parameter rows: in the order in which they were written.
    ///
    /// A row joins the open batch of its destination, unless a row with its key is in the plan already. Then it waits
    /// for the next plan, even if both could go in one call: of a batch, the broker may refuse the first and take the
    /// second.
    init(_ rows: [OutboxRow]) {
        var open: [Destination: Int] = [:]
        var planned: Set<String> = []
        for row in rows where planned.insert(row.partitionKey).inserted {
            if let index = open[row.destination], hasRoom(batches[index], for: row) {
                batches[index].rows.append(row)
                batches[index].bytes += row.body.utf8.count
            } else {
                open[row.destination] = batches.endIndex
                batches.append(Batch(destination: row.destination, rows: [row], bytes: row.body.utf8.count))
            }
        }
    }

    private func hasRoom(_ batch: Batch, for row: OutboxRow) -> Bool {
        batch.rows.count < Self.mostRows && batch.bytes + row.body.utf8.count <= Self.mostBytes
    }
}
