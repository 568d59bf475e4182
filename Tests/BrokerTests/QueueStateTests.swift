import Testing

@testable import Broker

/// What the model is too random for: the moments between a decision and its commit, and right at a deadline.
struct QueueStateTests {
    private static let now: Milliseconds = 1_000_000

    private static let message = QueuedMessage(
        sequence: 1, messageID: "m1", visibleAt: now - 1, sentAt: now - 1, bodyID: 1, group: "g")

    /// A queue with the one message.
    private func state(isFIFO: Bool = false) -> QueueState {
        var state = QueueState(settings: QueueState.Settings(), isFIFO: isFIFO, receiptSeed: 0)
        _ = state.sent([Self.message], now: Self.now)
        return state
    }

    private func receive(
        _ state: inout QueueState, waiter: Int = 1, visibility: Milliseconds = 0, wait: Milliseconds = 0
    ) -> QueueState.Effects {
        let request = QueueState.ReceiveRequest(waiter: waiter, maximum: 1, visibility: visibility, wait: wait)
        return state.receive(request, now: Self.now)
    }

    private func counts(_ effects: QueueState.Effects) -> [Int] { effects.answers.map(\.deliveries.count) }

    @Test(arguments: [false, true]) func aShortPollWaitsForWhatIsOnItsWayBack(isFIFO: Bool) {
        for isSaved in [true, false] {
            var state = state(isFIFO: isFIFO)
            #expect(counts(receive(&state)) == [1])
            let returns = state.tick(now: Self.now).returns
            #expect(returns.count == 1)
            #expect(counts(receive(&state, waiter: 2)) == [])
            let effects =
                isSaved ? state.returned(returns, now: Self.now) : state.returnsFailed(returns, now: Self.now)
            #expect(counts(effects) == [isSaved ? 1 : 0])
        }
    }

    @Test func aShortPollIsAnsweredWhenWhatWasOnItsWayIsDeleted() {
        var state = state()
        _ = receive(&state)
        _ = state.tick(now: Self.now)
        #expect(counts(receive(&state, waiter: 2)) == [])
        #expect(counts(state.deleted([1], now: Self.now)) == [0])
    }

    @Test func aLongPollIsNoLongerForWhatIsOnItsWay() {
        var state = state()
        _ = receive(&state)
        _ = state.tick(now: Self.now)
        #expect(counts(receive(&state, waiter: 2, wait: 1000)) == [])
        #expect(counts(state.tick(now: Self.now + 1000)) == [0])
    }

    /// As after a restart: the disk says that it is hidden, and nobody has it.
    @Test func whatIsHiddenSinceARestartCanBeShownAtOnce() throws {
        var state = QueueState(settings: QueueState.Settings(), stored: 1, receiptSeed: 0)
        let load = try #require(state.tick(now: Self.now).load)
        var hidden = Self.message
        hidden.visibleAt = Self.now + 3_600_000
        hidden.receiveCount = 1
        _ = state.loaded(QueueState.Page(messages: [hidden]), for: load, now: Self.now)
        let (change, _) = state.changeVisibility(of: 1, messageID: "m1", receipt: 7, timeout: 0, now: Self.now)
        let saved = try #require(change.saved, "it is \(change)")
        _ = state.returned([saved], now: Self.now)
        #expect(counts(receive(&state)) == [1])
    }

    /// The database may have been replaced since, so that a sequence is another message's.
    @Test func aHandleOfAnotherMessageChangesNothing() {
        var state = state()
        for _ in 0..<2 {
            let (change, _) = state.changeVisibility(of: 1, messageID: "m2", receipt: 1, timeout: 1000, now: Self.now)
            #expect(change == .notFound)
            _ = receive(&state, visibility: 30_000)
        }
    }

    @Test func aChangeOvertakesAReturn() throws {
        var state = state()
        _ = receive(&state)
        let returns = state.tick(now: Self.now).returns
        let (change, _) = state.changeVisibility(of: 1, messageID: "m1", receipt: 1, timeout: 1000, now: Self.now)
        let saved = try #require(change.saved, "it is \(change)")
        #expect(returns.allSatisfy { !state.isCurrent($0) })
        // Its commit was under way already.
        _ = state.returned(returns, now: Self.now)
        state.changed(saved)
        #expect(counts(receive(&state, waiter: 2)) == [0])
        #expect(counts(receive(&state, waiter: 3, wait: 20_000)) == [])
        #expect(counts(state.tick(now: Self.now + 1000)) == [1])
    }

    @Test func aReceiptEntitlesUntilTheLastMoment() {
        var state = state(isFIFO: true)
        let delivered = receive(&state, visibility: 1000).answers.first?.deliveries.first
        let receipt = delivered?.receipt ?? 0
        #expect(state.entitles(receipt, to: 1, now: Self.now + 999))
        #expect(!state.entitles(receipt, to: 1, now: Self.now + 1000))
    }
}

extension QueueState.VisibilityChange {
    fileprivate var saved: QueueState.Return? { if case .write(let saved) = self { saved } else { nil } }
}
