import Foundation
import Testing

@testable import Broker

@Suite("Memory of a queue that becomes less")
struct WindowLimitTests {
    private static func message(_ sequence: Int64, group: String? = nil) -> QueuedMessage {
        QueuedMessage(
            sequence: sequence, messageID: "\(sequence)", visibleAt: 0, sentAt: 0, bodyID: sequence, group: group,
            content: MessageContent(body: String(repeating: "x", count: 100), attributes: [:], sender: "me"))
    }

    private static func limits(window: Int, contentBytes: Int) -> QueueState.Limits {
        QueueState.Limits(window: window, page: 4, contentBytes: contentBytes)
    }

    /// Takes all that is in memory, in its order.
    private static func drain(_ window: inout some WaitingMessages) -> [QueuedMessage] {
        var taken: [QueuedMessage] = []
        while let next = window.front() {
            window.takeFront(next)
            taken.append(next)
        }
        return taken
    }

    @Test("The last messages go, and of those that stay the last contents") func standard() {
        var window = QueueWindow(stored: 0, limits: Self.limits(window: 100, contentBytes: 100_000))
        for sequence in 1...20 { window.place(Self.message(Int64(sequence))) }
        let size = Self.message(1).content?.size ?? 0
        window.limits = Self.limits(window: 10, contentBytes: 4 * size)
        #expect(window.count == 10 && window.beyond == 10)
        let taken = Self.drain(&window)
        #expect(taken.map(\.sequence) == Array(1...10))
        #expect(taken.map { $0.content != nil } == (1...10).map { $0 <= 4 })
        guard case .next(let position) = window.wanted() else {
            Issue.record("What was left to the disk isn't wanted.")
            return
        }
        #expect(position.sequence == 11)
    }

    @Test("Of each group the first message stays, and what is on disk is read on") func groups() {
        var window = GroupedWindow(stored: 0, limits: Self.limits(window: 100, contentBytes: 100_000))
        for sequence in 1...20 { window.place(Self.message(Int64(sequence), group: sequence % 2 == 0 ? "a" : "b")) }
        window.limits = Self.limits(window: 2, contentBytes: 0)
        #expect(window.count == 2 && window.beyond == 18)
        let first = window.front()
        #expect(first?.sequence == 1 && first?.content == nil)
        // One of each group was left; the group is locked while it is in flight, and read on when it comes back.
        for _ in 1...2 {
            guard let next = window.front() else { break }
            window.takeFront(next)
            _ = window.moveOn()
            window.release(next)
        }
        #expect(window.count == 0)
        guard case .groups(let starts) = window.wanted() else {
            Issue.record("The groups aren't read on.")
            return
        }
        #expect(Set(starts.map(\.group)) == ["a", "b"] && starts.allSatisfy { $0.from == 3 || $0.from == 4 })
    }
}
