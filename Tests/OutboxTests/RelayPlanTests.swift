import Contracts
import TestSupport
import Testing

@testable import Outbox

@Suite("Which rows are sent together") struct RelayPlanTests {
    private static let destinations: [Destination] = [.topic(.orderEvents), .queue(.payment), .queue(.order)]

    @Test("Rows with different keys share a call, up to ten") func tens() {
        let plan = RelayPlan((1...25).map { row($0, key: "key-\($0)") })
        #expect(plan.batches.map(\.rows.count) == [10, 10, 5])
        #expect(plan.batches.flatMap(\.rows).map(\.id) == Array(1...25))
    }

    @Test("Each destination has calls of its own") func destinations() {
        let plan = RelayPlan((1...6).map { row($0, key: "\($0)", to: Self.destinations[$0 % 3]) })
        #expect(Set(plan.batches.map(\.destination)) == Set(Self.destinations))
        #expect(plan.batches.allSatisfy { $0.rows.count == 2 })
    }

    @Test("A key's second row waits until its first is through, whatever its destination") func onePerKey() {
        let rows = [
            row(1, key: "a"), row(2, key: "b"), row(3, key: "a", to: .queue(.payment)), row(4, key: "a"),
            row(5, key: "c"),
        ]
        #expect(RelayPlan(rows).batches.map { $0.rows.map(\.id) } == [[1, 2, 5]])
        #expect(RelayPlan(Array(rows[2...3])).batches.map { $0.rows.map(\.id) } == [[3]])
    }

    @Test("A call stays under the bytes that SNS takes, but a large row is sent alone") func bytes() {
        let plan = RelayPlan([
            row(1, key: "1", bytes: 100_000), row(2, key: "2", bytes: 100_000), row(3, key: "3", bytes: 100_000),
            row(4, key: "4", bytes: 250_000), row(5, key: "5", bytes: 10),
        ])
        #expect(plan.batches.map { $0.rows.map(\.id) } == [[1, 2], [3], [4], [5]])
        #expect(plan.batches.map(\.bytes) == [200_000, 100_000, 250_000, 10])
    }

    @Test("Nothing to send is no call") func nothing() { #expect(RelayPlan([]).batches.isEmpty) }

    @Test(
        "Whatever is written and refused, all is sent at last and each key in its order",
        arguments: 1...100 as ClosedRange<UInt64>)
    func anyHistory(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let keys = Int.random(in: 1...12, using: &random)
        var waiting = (1...Int.random(in: 1...80, using: &random)).map { id in
            row(
                id, key: "\(Int.random(in: 1...keys, using: &random))",
                to: Self.destinations.randomElement(using: &random) ?? .queue(.order),
                bytes: Int.random(in: 1...10, using: &random) == 1 ? 90_000 : 100)
        }
        let written = waiting
        var accepted: [OutboxRow] = []
        while !waiting.isEmpty {
            let plan = RelayPlan(waiting)
            #expect(plan.batches.first?.rows.first == waiting.first, "the oldest row is never passed over")
            // Batches of a plan are sent side by side: any order is possible.
            for batch in plan.batches.shuffled(using: &random) {
                #expect((1...10).contains(batch.rows.count))
                #expect(batch.rows.allSatisfy { $0.destination == batch.destination })
                #expect(batch.bytes == batch.rows.reduce(0) { $0 + $1.body.utf8.count })
                #expect(batch.bytes <= 240_000)
                for row in batch.rows where Int.random(in: 1...5, using: &random) > 1 { accepted.append(row) }
            }
            waiting = written.filter { row in !accepted.contains { $0.id == row.id } }
        }
        for rows in Dictionary(grouping: accepted, by: \.partitionKey).values {
            #expect(rows.map(\.id) == rows.map(\.id).sorted())
        }
        #expect(Set(accepted.map(\.id)).count == accepted.count)
    }

    private func row(
        _ id: Int, key: String, to destination: Destination = .topic(.orderEvents), bytes: Int = 100
    ) -> OutboxRow {
        OutboxRow(
            id: Int64(id), destination: destination, partitionKey: key, type: "type",
            body: String(repeating: "x", count: bytes), visibleAt: nil)
    }
}
