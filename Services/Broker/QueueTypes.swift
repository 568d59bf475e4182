/// Where a message stands in its queue: by the time from which it may be delivered, then by the order of sending.
struct Position: Comparable, Hashable, Sendable {
    var visibleAt: Milliseconds
    var sequence: Int64

    static let first = Position(visibleAt: .min, sequence: .min)

    static func < (left: Position, right: Position) -> Bool {
        left.visibleAt == right.visibleAt ? left.sequence < right.sequence : left.visibleAt < right.visibleAt
    }
}

/// A message as the queue knows it. `content` is kept for a while if there is room, otherwise read when delivered.
struct QueuedMessage: Sendable {
    let sequence: Int64
    let messageID: String
    var visibleAt: Milliseconds
    let sentAt: Milliseconds
    var receiveCount = 0
    var firstReceivedAt: Milliseconds?
    let bodyID: Int64
    /// The subscription that this copy came through, for the hole in an enveloped body.
    var subscription: String?
    /// The queue that this message could not be processed in.
    var deadLetterSource: String?
    /// The message group. In a FIFO queue each message has one, and its group decides when it may go.
    var group: String?
    var deduplicationID: String?
    var content: MessageContent?

    var position: Position { Position(visibleAt: visibleAt, sequence: sequence) }
}

extension QueueState {
    struct Settings: Sendable, Equatable {
        var retention: Milliseconds = 345_600_000
        /// After how many receives a message moves to the dead-letter queue, if there is one.
        var maxReceiveCount: Int?
    }

    struct Limits: Sendable {
        /// The most messages in the window. What piles up for a moment fits, and needn't be read from disk.
        var window = 16_384
        /// How many are read at once. The next page is asked for when fewer than half of it are left.
        var page = 1024
        /// The most bytes of content that are kept with the window.
        var contentBytes = 32 << 20
        var inFlight = 120_000
        var expiriesAtOnce = 500
        var longestVisibility: Milliseconds = 43_200_000
        /// How long after a failed write or read to try again.
        var retryDelay: Milliseconds = 1000
        /// How long a receiver who does not want to wait is kept for what is on its way from the disk or to it.
        var patience: Milliseconds = 2000
        /// How long an attempt to receive can be repeated.
        var attemptInterval: Milliseconds = 300_000

        /// Keeps so much in memory. The window takes two pages or more: into a smaller one, pages would be read again and
        /// again.
        mutating func keep(messages: Int, contentBytes: Int) {
            window = messages
            page = min(Limits().page, messages / 2)
            self.contentBytes = contentBytes
        }
    }

    struct ReceiveRequest: Sendable {
        let waiter: Int
        let maximum: Int
        let visibility: Milliseconds
        var wait: Milliseconds
        /// Names this attempt to receive, so that it can be repeated (FIFO queues only).
        var attempt: String?
    }

    /// What was delivered to an attempt to receive that has a name.
    struct Attempt: Sendable {
        let at: Milliseconds
        let sequences: [Int64]
    }

    /// What the shell must do after a call.
    struct Effects: Sendable {
        var answers: [Answer] = []
        /// To be saved, then told by `returned`.
        var returns: [Return] = []
        /// To be moved to the dead-letter queue, then told by `left`.
        var redriven: [Int64] = []
        /// To be deleted, then told by `left`.
        var expired: [Int64] = []
        /// To be read, then told by `loaded`.
        var load: PageRequest?

        var needsDisk: Bool { !returns.isEmpty || !redriven.isEmpty || !expired.isEmpty || load != nil }
    }

    /// What a receiver gets; nothing if the time is up.
    struct Answer: Sendable {
        let waiter: Int
        let deliveries: [Delivery]
    }

    struct Delivery: Sendable {
        var message: QueuedMessage
        let receipt: UInt64
    }

    /// A message's new place on disk.
    struct Return: Sendable, Equatable {
        let sequence: Int64
        let visibleAt: Milliseconds
        let receiveCount: Int
        let firstReceivedAt: Milliseconds?
        /// Which of the queue's changes it is.
        let number: Int
    }

    struct PageRequest: Sendable, Equatable {
        enum Start: Sendable, Equatable {
            /// What comes next in the queue's order.
            case next(Position)
            /// What comes next in groups of which the first messages are known.
            case groups([GroupStart])
        }

        let start: Start
        let limit: Int
        let generation: Int
    }

    struct GroupStart: Sendable, Equatable {
        let group: String
        let from: Int64
    }

    /// What was read.
    struct Page: Sendable {
        var messages: [QueuedMessage] = []
        /// Where the next page begins; `nil` if this was the last.
        var end: Position?
        /// The groups that have more messages than are on this page.
        var incomplete: Set<String> = []
    }

    enum VisibilityChange: Sendable, Equatable {
        case write(Return)
        /// Memory doesn't have it, or of a FIFO queue not in flight with this receipt; the disk may still have it.
        case notFound
        case notInFlight
        case tooLong
        /// It waits, as it was wanted to.
        case unchanged
    }

    struct Counts: Sendable, Equatable {
        var visible = 0
        var delayed = 0
        var inFlight = 0
        var oldestSentAt: Milliseconds?

        /// Counts a message that waits in memory.
        mutating func add(_ message: QueuedMessage, now: Milliseconds) {
            if message.visibleAt > now { delayed += 1 } else { visible += 1 }
            oldestSentAt = min(oldestSentAt ?? message.sentAt, message.sentAt)
        }
    }

    struct Waiter: Sendable {
        let request: ReceiveRequest
        var deadline: Milliseconds
    }

    struct InFlight: Sendable {
        enum Phase { case held, leaving }

        let message: QueuedMessage
        let receipt: UInt64
        let receivedAt: Milliseconds
        var deadline: Milliseconds
        /// The position on disk.
        var storedVisibleAt: Milliseconds
        /// `leaving` while a write that takes the message out of flight is on its way.
        var phase: Phase
        /// The number of the last return that was asked for.
        var change = 0
        /// The attempt to receive that it was delivered to, if that can be repeated.
        var attempt: String?

        func asReturn(at visibleAt: Milliseconds) -> Return {
            Return(
                sequence: message.sequence, visibleAt: visibleAt, receiveCount: message.receiveCount,
                firstReceivedAt: message.firstReceivedAt, number: change)
        }
    }

    struct Timer: Comparable, Sendable {
        enum Owner: Sendable, Equatable { case waiter(Int), message(Int64), load(Int) }

        let at: Milliseconds
        let owner: Owner

        static func < (left: Timer, right: Timer) -> Bool { left.at < right.at }
    }
}
