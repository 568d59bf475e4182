import Contracts
import Foundation
import Messaging

/// Looks into dead-letter queues, sends their messages back and removes them. One thing at a time: a look hides the
/// messages from other looks for a moment, and two at once would each see a part.
actor DeadLetterDesk {
    private let transport: AWSTransport
    /// By their dead-letter queues.
    private let sources: [Queue: Queue]
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// How many messages of a queue are looked at; the rest come into view as these go.
    private static let mostLetters = 500
    /// After this a message comes back into view, should the console die in between.
    private static let look = Duration.seconds(60)

    /// - Parameter queues: those whose dead letters are meant.
    init(transport: AWSTransport, queues: [Queue]) {
        self.transport = transport
        sources = Dictionary(uniqueKeysWithValues: queues.map { ($0.deadLetters, $0) })
    }

    /// A dead-letter queue with what is in it.
    struct Shelf: Encodable, Sendable {
        var queue: String
        /// Where its messages come from, and go back to.
        var source: String
        var count: Int
        var letters: [DeadLetter]
    }

    /// Which messages of a queue are meant.
    enum Selection: Equatable, Sendable {
        case ids(Set<String>)
        case reason(String)
        case all

        func includes(_ letter: DeadLetter) -> Bool {
            switch self {
            case .ids(let ids): ids.contains(letter.messageId)
            case .reason(let reason): letter.reason == reason
            case .all: true
            }
        }
    }

    enum Failure: Error {
        case unknownQueue(String)
    }

    /// All dead-letter queues, the empty ones too.
    func shelves() async throws -> [Shelf] {
        try await exclusively {
            var shelves: [Shelf] = []
            for (queue, source) in try await deadLetterQueues() {
                let count = try await transport.count(of: queue)
                let letters = count == 0 ? [] : try await examine(queue) { $0.map { DeadLetter($0) } }
                shelves.append(
                    Shelf(queue: queue.rawValue, source: source.rawValue, count: count, letters: letters))
            }
            return shelves
        }
    }

    /// Sends messages back to where they came from, then removes them here. In this order nothing is lost when the
    /// console dies in between; what is then sent twice is recognised by its consumer's inbox.
    /// - Parameter edited: the new body of the one message that is meant.
    /// - Returns: how many were sent.
    func redrive(_ selection: Selection, of name: String, edited: String?) async throws -> Int {
        let (queue, source) = try await known(name)
        return try await exclusively {
            try await examine(queue) { letters in
                var sent = 0
                for examined in letters {
                    let letter = DeadLetter(examined)
                    guard selection.includes(letter) else { continue }
                    let redelivery = try Redelivery(of: letter, edited: edited)
                    let refusals = try await transport.send([redelivery.message], to: .queue(source))
                    if let refusal = refusals.first ?? nil { throw refusal }
                    try await transport.acknowledge(examined.message, on: queue)
                    sent += 1
                }
                return sent
            }
        }
    }

    /// Removes messages for good.
    /// - Returns: how many.
    func purge(_ selection: Selection, of name: String) async throws -> Int {
        let (queue, _) = try await known(name)
        return try await exclusively {
            if selection == .all {
                let count = try await transport.count(of: queue)
                try await transport.purge(queue)
                return count
            }
            return try await examine(queue) { letters in
                let doomed = letters.filter { selection.includes(DeadLetter($0)) }
                for letter in doomed { try await transport.acknowledge(letter.message, on: queue) }
                return doomed.count
            }
        }
    }
}

extension DeadLetterDesk {
    /// Those that there are, by name. An account may have queues of others, which are none of the console's business.
    private func deadLetterQueues() async throws -> [(queue: Queue, source: Queue)] {
        try await transport.queues().compactMap { queue in sources[queue].map { (queue, $0) } }
            .sorted { $0.queue.rawValue < $1.queue.rawValue }
    }

    private func known(_ name: String) async throws -> (queue: Queue, source: Queue) {
        guard let found = try await deadLetterQueues().first(where: { $0.queue.rawValue == name }) else {
            throw Failure.unknownQueue(name)
        }
        return found
    }

    /// Takes what is in the queue, oldest first, and gives back what `body` leaves.
    private func examine<Value>(
        _ queue: Queue, _ body: ([ExaminedMessage]) async throws -> Value
    ) async throws -> Value {
        var letters: [ExaminedMessage] = []
        let outcome: Result<Value, any Error>
        do {
            let count = min(try await transport.count(of: queue), Self.mostLetters)
            while letters.count < count {
                let page = try await transport.examine(queue, atMost: 10, visibilityTimeout: Self.look)
                letters += page
                if page.isEmpty { break }
            }
            letters.sort { ($0.sentAt ?? .distantPast) < ($1.sentAt ?? .distantPast) }
            outcome = .success(try await body(letters))
        } catch {
            outcome = .failure(error)
        }
        // Those that are gone are refused one by one, which is as it should be.
        try? await transport.release(letters.map(\.message), on: queue)
        return try outcome.get()
    }

    private func exclusively<Value>(_ body: () async throws -> Value) async throws -> Value {
        if isBusy { await withCheckedContinuation { waiting.append($0) } }
        isBusy = true
        defer {
            isBusy = false
            if !waiting.isEmpty {
                // It stays busy for the one whose turn it is, whatever comes in before that runs.
                isBusy = true
                waiting.removeFirst().resume()
            }
        }
        return try await body()
    }
}
