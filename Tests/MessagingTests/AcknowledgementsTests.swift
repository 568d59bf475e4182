import Synchronization
import Testing

@testable import Messaging

@Suite("Acknowledging together", .timeLimit(.minutes(1))) struct AcknowledgementsTests {
    struct Away: Error {}

    /// Removes what it is given but for what ends in 7, and notes the batches.
    private final class Broker: Sendable {
        private let requests = Mutex<[[String]]>([])
        var batches: [[String]] { requests.withLock { $0 } }

        func remove(_ receipts: [String]) throws -> [SendRefusal?] {
            requests.withLock { $0.append(receipts) }
            if receipts == ["away"] { throw Away() }
            return receipts.map {
                $0.hasSuffix("7") ? SendRefusal(code: "ReceiptHandleIsInvalid", message: $0) : nil
            }
        }
    }

    @Test("Those that come at once go in batches of at most ten, and each hears what became of its own")
    func together() async {
        let (broker, acknowledgements) = (Broker(), Acknowledgements())
        let refused = await withTaskGroup(of: String?.self) { group in
            for number in 0..<100 {
                group.addTask {
                    do {
                        try await acknowledgements.add("\(number)") { try broker.remove($0) }
                        return nil
                    } catch {
                        return (error as? SendRefusal)?.message
                    }
                }
            }
            return await group.reduce(into: []) { refused, message in refused += message.map { [$0] } ?? [] }
        }
        #expect(Set(refused) == Set((0..<10).map { $0 == 0 ? "7" : "\($0)7" }))
        let batches = broker.batches
        #expect(batches.allSatisfy { (1...10).contains($0.count) })
        #expect(batches.flatMap { $0 }.compactMap { Int($0) }.sorted() == Array(0..<100))
        #expect(batches.count < 50)
    }

    @Test("A broker that is away is told to those who asked, and asked again by the next") func away() async throws {
        let (broker, acknowledgements) = (Broker(), Acknowledgements())
        await #expect(throws: Away.self) { try await acknowledgements.add("away") { try broker.remove($0) } }
        try await acknowledgements.add("1") { try broker.remove($0) }
        #expect(broker.batches == [["away"], ["1"]])
    }

    @Test("Who is cut off still speaks for those who joined") func cancelled() async throws {
        let (broker, acknowledgements) = (Broker(), Acknowledgements())
        try await withThrowingTaskGroup { group in
            for number in [1, 2] {
                group.addTask { try await acknowledgements.add("\(number)") { try broker.remove($0) } }
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(broker.batches.flatMap { $0 }.sorted() == ["1", "2"])
    }
}
