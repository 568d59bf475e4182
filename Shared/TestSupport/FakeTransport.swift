import Contracts
import Foundation
import Messaging
import Synchronization
import Testing

/// A broker in memory. It does only what a test has allowed it to: any other call is an issue of that test. It can be
/// told to fail, to lose its answer, to refuse messages and to deliver a message several times.
public final class FakeTransport: MessageTransport {
    /// A method of the port.
    public enum Call: Hashable, Sendable {
        case ensure, send, receive, acknowledge, changeVisibility, deadLetter, renew, leases, remove
    }

    /// Something that was done with the broker.
    public enum Event: Sendable, Equatable {
        case ensured
        /// What the broker accepted of a call, in its order; empty if it refused all.
        case sent([OutboundMessage], Destination)
        /// Somebody is ready to receive so many messages.
        case polled(atMost: Int)
        /// Somebody doesn't want to receive any more.
        case pollCancelled
        case acknowledged(InboundMessage)
        case visibilityChanged(InboundMessage, Duration)
        case deadLettered(InboundMessage, reason: String)
        case renewed(Queue, until: Date)
        case removed(Queue)
    }

    /// What a call that was told to fail throws.
    public struct Unreachable: Error, Equatable {
        public init() {}
    }

    private struct State {
        var failures: [Call: Int] = [:]
        var lostAnswers: [Call: Int] = [:]
        var refusals: [(times: Int, matches: @Sendable (OutboundMessage) -> Bool)] = []
        var inbound: [InboundMessage] = []
        var receivers: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastNumber = 0
        var leases: [Queue: Date] = [:]
    }

    private let allowed: Set<Call>
    private let state = Mutex(State())

    /// All that was done, in its order.
    public let events = Probe<Event>()

    /// - Parameter calls: what the test expects to be called, besides ``Call/ensure``.
    public init(expecting calls: Set<Call>) { allowed = calls.union([.ensure]) }

    // MARK: - What the test says

    /// The next calls throw without having had an effect.
    public func fail(_ call: Call, times: Int = 1) {
        state.withLock { $0.failures[call, default: 0] += times }
    }

    /// The next calls have their effect and throw nevertheless, as when the connection breaks before the answer.
    public func loseAnswer(of call: Call, times: Int = 1) {
        state.withLock { $0.lostAnswers[call, default: 0] += times }
    }

    /// The next `times` messages that match are refused.
    public func refuse(times: Int = 1, where matches: @escaping @Sendable (OutboundMessage) -> Bool) {
        state.withLock { $0.refusals.append((times, matches)) }
    }

    /// Puts a message into the queue, several times if it is to be delivered several times.
    /// - Returns: the message as it will be received, the first of them.
    @discardableResult
    public func deliver(
        _ body: String, attributes: [String: String] = [:], receiveCount: Int = 1, times: Int = 1
    ) -> InboundMessage {
        let (first, receivers) = state.withLock { state -> (InboundMessage, [CheckedContinuation<Void, Never>]) in
            state.lastNumber += 1
            let id = "message-\(state.lastNumber)"
            let copies = (0..<times).map { copy in
                InboundMessage(
                    id: id, receiptHandle: "\(id)-\(receiveCount + copy)", body: body, attributes: attributes,
                    receiveCount: receiveCount + copy)
            }
            state.inbound += copies
            defer { state.receivers = [:] }
            return (copies[0], Array(state.receivers.values))
        }
        for receiver in receivers { receiver.resume() }
        return first
    }

    /// All messages that the broker has accepted so far, in its order.
    public var accepted: [OutboundMessage] {
        events.values.flatMap { event -> [OutboundMessage] in
            guard case .sent(let messages, _) = event else { return [] }
            return messages
        }
    }

    // MARK: - The port

    public func ensure(_ topology: Topology) async throws {
        try perform(.ensure) { events.record(.ensured) }
    }

    public func send(_ messages: [OutboundMessage], to destination: Destination) async throws -> [SendRefusal?] {
        try perform(.send) {
            let refusals = messages.map { refusal(of: $0) }
            events.record(.sent(zip(messages, refusals).filter { $0.1 == nil }.map(\.0), destination))
            return refusals
        }
    }

    public func receive(
        from queue: Queue, atMost count: Int, wait: Duration, visibilityTimeout: Duration
    ) async throws -> [InboundMessage] {
        try perform(.receive) { events.record(.polled(atMost: count)) }
        while true {
            if Task.isCancelled {
                events.record(.pollCancelled)
                throw CancellationError()
            }
            let messages = state.withLock { state in
                let taken = Array(state.inbound.prefix(count))
                state.inbound.removeFirst(taken.count)
                return taken
            }
            if !messages.isEmpty { return messages }
            await waitForDelivery()
        }
    }

    public func acknowledge(_ message: InboundMessage, on queue: Queue) async throws {
        try perform(.acknowledge) { events.record(.acknowledged(message)) }
    }

    public func changeVisibility(of message: InboundMessage, on queue: Queue, to delay: Duration) async throws {
        try perform(.changeVisibility) { events.record(.visibilityChanged(message, delay)) }
    }

    public func deadLetter(_ message: InboundMessage, on queue: Queue, reason: String) async throws {
        try perform(.deadLetter) { events.record(.deadLettered(message, reason: reason)) }
    }

    public func renew(_ queue: Queue, until end: Date) async throws {
        try perform(.renew) {
            state.withLock { $0.leases[queue] = end }
            events.record(.renewed(queue, until: end))
        }
    }

    public func leases(prefix: String) async throws -> [Queue: Date] {
        try perform(.leases) {
            state.withLock { state in state.leases.filter { $0.key.rawValue.hasPrefix(prefix) } }
        }
    }

    public func remove(_ queue: Queue) async throws {
        try perform(.remove) {
            state.withLock { $0.leases[queue] = nil }
            events.record(.removed(queue))
        }
    }

    // MARK: -

    private func perform<Value>(_ call: Call, _ effect: () -> Value) throws -> Value {
        guard allowed.contains(call) else {
            Issue.record("the broker was called unexpectedly: \(call)")
            throw Unreachable()
        }
        if state.withLock({ Self.takeOne(call, from: &$0.failures) }) { throw Unreachable() }
        let value = effect()
        if state.withLock({ Self.takeOne(call, from: &$0.lostAnswers) }) { throw Unreachable() }
        return value
    }

    private static func takeOne(_ call: Call, from counts: inout [Call: Int]) -> Bool {
        guard let count = counts[call], count > 0 else { return false }
        counts[call] = count - 1
        return true
    }

    private func refusal(of message: OutboundMessage) -> SendRefusal? {
        state.withLock { state in
            guard let index = state.refusals.firstIndex(where: { $0.times > 0 && $0.matches(message) }) else {
                return nil
            }
            state.refusals[index].times -= 1
            return SendRefusal(code: "InternalError", message: "refused by the test")
        }
    }

    private func waitForDelivery() async {
        let id = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    guard state.inbound.isEmpty, !Task.isCancelled else { return false }
                    state.receivers[id] = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.receivers.removeValue(forKey: id) }?.resume()
        }
    }
}

extension FakeTransport.Event {
    /// Whether the broker accepted messages.
    public var isSent: Bool {
        if case .sent(let messages, _) = self { !messages.isEmpty } else { false }
    }

    /// Whether a message was removed because it is done.
    public var isAcknowledged: Bool {
        if case .acknowledged = self { true } else { false }
    }

    /// After what time a message is delivered again, if that was said.
    public var visibilityDelay: Duration? {
        if case .visibilityChanged(_, let delay) = self { delay } else { nil }
    }

    /// Why a message was moved to the dead letters, if it was.
    public var deadLetterReason: String? {
        if case .deadLettered(_, let reason) = self { reason } else { nil }
    }
}

extension ConsumerSettings {
    /// Settings by which no message has its visibility extended while a test runs, however slow the machine is.
    public static func patient(concurrency: Int = 16) -> ConsumerSettings {
        ConsumerSettings(concurrency: concurrency, visibilityTimeout: .seconds(3600))
    }
}
