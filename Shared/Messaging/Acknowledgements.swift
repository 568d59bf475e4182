import Synchronization

/// Acknowledges a queue's messages together: the first that comes waits a moment for company, as the batch managers of
/// AWS's SDKs do, and speaks for all. Where many are handled a request for each would be a good part of the work.
final class Acknowledgements: Sendable {
    /// Removes at most ten messages.
    /// - Returns: for each, in their order, why it was refused, or `nil`.
    typealias Remove = @Sendable (_ receipts: [String]) async throws -> [SendRefusal?]

    /// Nobody waits for it: what was handled stays hidden far longer.
    static let linger = Duration.milliseconds(5)
    private static let largestBatch = 10

    private enum Turn { case collect, done }

    private struct Waiting {
        let receipt: String
        let caller: CheckedContinuation<Turn, any Error>
    }

    private struct State {
        var isCollecting = false
        var company: [Waiting] = []
    }

    private let state = Mutex(State())

    /// Returns once the broker has removed the message.
    /// - Parameter remove: the same for all of a queue.
    func add(_ receipt: String, remove: Remove) async throws {
        let turn = try await withCheckedThrowingContinuation { caller in
            let isFirst = state.withLock { state in
                if state.isCollecting { state.company.append(Waiting(receipt: receipt, caller: caller)) }
                defer { state.isCollecting = true }
                return !state.isCollecting
            }
            if isFirst { caller.resume(returning: .collect) }
        }
        if turn == .collect { try await collect(with: receipt, remove) }
    }

    private func collect(with receipt: String, _ remove: Remove) async throws {
        // Who is cut off doesn't wait any longer, but must not forget the others.
        try? await Task.sleep(for: Self.linger)
        let company = state.withLock { state in
            defer { state = State() }
            return state.company
        }
        let first = company.prefix(Self.largestBatch - 1)
        let outcomes = await outcomes(of: [receipt] + first.map(\.receipt), remove)
        for (waiting, outcome) in zip(first, outcomes.dropFirst()) { waiting.caller.resume(with: outcome) }
        var rest = company.dropFirst(first.count)
        while !rest.isEmpty {
            let batch = rest.prefix(Self.largestBatch)
            for (waiting, outcome) in zip(batch, await self.outcomes(of: batch.map(\.receipt), remove)) {
                waiting.caller.resume(with: outcome)
            }
            rest = rest.dropFirst(batch.count)
        }
        _ = try outcomes[0].get()
    }

    private func outcomes(of receipts: [String], _ remove: Remove) async -> [Result<Turn, any Error>] {
        do {
            return try await remove(receipts).map { $0.map(Result.failure) ?? .success(.done) }
        } catch {
            return receipts.map { _ in .failure(error) }
        }
    }
}
