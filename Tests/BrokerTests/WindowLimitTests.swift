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

    @Test("Few queues keep much, and many keep little together") func shares() {
        let (one, some) = (Queues.share(among: 1), Queues.share(among: 64))
        #expect(one.messages == 16_384 && one.contentBytes == 32 << 20)
        #expect(some.messages == 2048 && some.contentBytes == 1 << 20)
        for count in [100, 1000, 4000] {
            let share = Queues.share(among: count)
            #expect(count * share.messages <= max(131_072, count * 256))
            #expect(count * share.contentBytes <= 64 << 20)
        }
    }

    @Test("A page is read once, however little is kept", arguments: [1, 64, 100, 1000]) func pages(queues: Int) {
        var limits = QueueState.Limits()
        let share = Queues.share(among: queues)
        limits.keep(messages: share.messages, contentBytes: share.contentBytes)
        #expect(limits.page == min(1024, share.messages / 2))
        var window = QueueWindow(stored: 20_000, limits: limits)
        var read = 0
        while let start = window.wanted() {
            let messages = (0..<limits.page).map { Self.message(Int64(read + $0)) }
            read += limits.page
            let page = QueueState.Page(messages: messages, end: Position(visibleAt: 0, sequence: Int64(read)))
            _ = window.join(page, for: start, now: 0) { _ in false }
            guard read <= 2 * limits.page else {
                Issue.record("It goes on reading what it doesn't keep.")
                return
            }
        }
        #expect(window.count == read)
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
