import Collections

/// The waiting messages of a FIFO queue, in their groups: some groups with their next messages in memory, the others
/// counted.
///
/// A group is locked while one of its messages is in flight; then the others of it wait. So that a locked group with a
/// long backlog hides no other, and needs no more memory than a short one, groups stand in line, not messages: the disk
/// lists them by their first messages, and
/// - each group whose first message on disk is before the `horizon` is known here;
/// - each message of a known group is in flight, or waits here, or is not before the group's `next`.
struct GroupedWindow: WaitingMessages {
    private struct Group {
        /// Those in memory, in their order.
        var waiting = Deque<QueuedMessage>()
        /// How many are in flight.
        var inFlight = 0
        /// From which sequence on messages are on disk only; `nil` if all are known.
        var next: Int64?
        /// Whether it is in the list of those that are to be read.
        var isHungry = false

        var isLocked: Bool { inFlight > 0 }

        func index(of sequence: Int64) -> Int {
            var (low, high) = (0, waiting.count)
            // Nearly always it is the first or comes after the last.
            if let last = waiting.last, last.sequence < sequence { return high }
            while low < high {
                let middle = (low + high) / 2
                if waiting[middle].sequence < sequence { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    /// A group that is not locked, at the position of its first message.
    private struct Head: Comparable {
        let position: Position
        let group: String

        static func < (left: Head, right: Head) -> Bool { left.position < right.position }
    }

    var limits: QueueState.Limits { didSet { shrink() } }
    private var groups: [String: Group] = [:]
    private var groupOf: [Int64: String] = [:]
    private var heads = Heap<Head>()
    /// Groups of which nothing is left in memory though there is more on disk.
    private var hungry = Deque<String>()
    /// The group that the receiver at the window is getting messages of.
    private var serving: String?
    private var horizon: Position?
    private(set) var beyond = 0
    /// How many wait in locked groups, and in others.
    private var locked = 0
    private var ready = 0
    private var contentBytes = 0

    /// - Parameter stored: how many messages are on disk, none of which is in memory yet.
    init(stored: Int, limits: QueueState.Limits) {
        self.limits = limits
        guard stored > 0 else { return }
        beyond = stored
        horizon = Self.position(.min)
    }

    var count: Int { groupOf.count }

    func contains(_ sequence: Int64) -> Bool { groupOf[sequence] != nil }

    /// In a FIFO queue the disk sorts by the sequence alone.
    private static func position(_ sequence: Int64) -> Position { Position(visibleAt: 0, sequence: sequence) }

    private func isBeforeHorizon(_ sequence: Int64) -> Bool { horizon.map { sequence < $0.sequence } ?? true }

    // MARK: Coming and going

    mutating func place(_ message: QueuedMessage) {
        let id = message.groupID
        if let group = groups[id] {
            if let next = group.next, message.sequence >= next {
                beyond += 1
            } else {
                insert(message)
                shrink(id)
            }
        } else if !isBeforeHorizon(message.sequence) {
            beyond += 1
        } else if ready >= limits.window {
            horizon = Self.position(message.sequence)
            beyond += 1
        } else {
            // What else the group has on disk, if anything, is beyond the horizon: otherwise it would be known.
            groups[id] = Group(next: horizon?.sequence)
            insert(message)
        }
    }

    mutating func putBack(_ message: QueuedMessage) {
        let id = message.groupID
        if let next = groups[id]?.next, message.sequence >= next {
            beyond += 1
            change(id) { $0.inFlight -= 1 }
        } else {
            insert(message, fromFlight: true)
            shrink(id)
        }
    }

    mutating func release(_ message: QueuedMessage) { change(message.groupID) { $0.inFlight -= 1 } }

    mutating func remove(_ sequence: Int64) {
        guard let id = groupOf.removeValue(forKey: sequence) else {
            beyond = max(0, beyond - 1)
            return
        }
        var removed: QueuedMessage?
        change(id) { removed = $0.waiting.remove(at: $0.index(of: sequence)) }
        contentBytes -= removed?.content?.size ?? 0
    }

    /// Nobody does so in a FIFO queue.
    mutating func take(_ sequence: Int64) -> QueuedMessage? { nil }

    mutating func front() -> QueuedMessage? {
        if let serving, let first = groups[serving]?.waiting.first { return first }
        _ = moveOn()
        while let head = heads.min {
            if let first = first(of: head) { return first }
            heads.removeMin()
        }
        return nil
    }

    /// The first message of a group, if the head still stands for it.
    private func first(of head: Head) -> QueuedMessage? {
        guard let group = groups[head.group], !group.isLocked, let first = group.waiting.first,
            first.position == head.position
        else { return nil }
        return first
    }

    mutating func takeFront(_ message: QueuedMessage) {
        let id = message.groupID
        serving = id
        groupOf[message.sequence] = nil
        contentBytes -= message.content?.size ?? 0
        change(id) { group in
            group.waiting.removeFirst()
            group.inFlight += 1
        }
    }

    mutating func moveOn() -> Bool {
        guard let id = serving else { return false }
        serving = nil
        shrink(id)
        return true
    }

    func counts(now: Milliseconds) -> QueueState.Counts {
        var counts = QueueState.Counts(visible: beyond)
        for group in groups.values {
            for message in group.waiting { counts.add(message, now: now) }
        }
        return counts
    }

    // MARK: Reading

    /// How many groups are read on at once.
    private static let groupsAtOnce = 32

    mutating func wanted() -> QueueState.PageRequest.Start? {
        while let id = hungry.first, !isHungry(id) {
            hungry.removeFirst()
            groups[id]?.isHungry = false
        }
        if !hungry.isEmpty {
            return .groups(
                hungry.prefix(Self.groupsAtOnce).filter(isHungry).compactMap { id in
                    groups[id]?.next.map { QueueState.GroupStart(group: id, from: $0) }
                })
        }
        guard let horizon, ready < limits.page / 2 else { return nil }
        return .next(horizon)
    }

    private func isHungry(_ id: String) -> Bool {
        groups[id].map { $0.isHungry && !$0.isLocked && $0.waiting.isEmpty && $0.next != nil } ?? false
    }

    mutating func join(
        _ page: QueueState.Page, for start: QueueState.PageRequest.Start, now: Milliseconds,
        unless isInFlight: (Int64) -> Bool
    ) -> [QueuedMessage] {
        var joining: Set<String> = []
        switch start {
        case .next(let position):
            guard horizon == position else { return [] }
            joining = Set(page.messages.map(\.groupID)).filter { groups[$0] == nil }
            for id in joining { groups[id] = Group() }
            horizon = page.end
        case .groups(let starts):
            joining = Set(starts.filter { groups[$0.group]?.next == $0.from }.map(\.group))
        }
        var stillInFlight: [QueuedMessage] = []
        var last: [String: Int64] = [:]
        for message in page.messages where joining.contains(message.groupID) {
            last[message.groupID] = message.sequence
            if isInFlight(message.sequence) || contains(message.sequence) { continue }
            beyond = max(0, beyond - 1)
            if message.receiveCount > 0, message.visibleAt > now {
                // It was received and is hidden from others since; so it locks its group.
                stillInFlight.append(message)
                change(message.groupID) { $0.inFlight += 1 }
            } else {
                insert(message)
            }
        }
        for id in joining {
            let next = page.incomplete.contains(id) ? last[id].map { $0 + 1 } : nil
            change(id) { $0.next = next }
            settle(id)
            shrink(id)
        }
        return stillInFlight
    }

    // MARK: Groups

    private mutating func insert(_ message: QueuedMessage, fromFlight: Bool = false) {
        var message = message
        let size = message.content?.size ?? 0
        if contentBytes + size > limits.contentBytes { message.content = nil } else { contentBytes += size }
        let id = message.groupID
        groupOf[message.sequence] = id
        change(id) { group in
            if fromFlight { group.inFlight -= 1 }
            group.waiting.insert(message, at: group.index(of: message.sequence))
        }
    }

    /// Changes a group, and keeps the numbers and the line true to it.
    private mutating func change(_ id: String, _ body: (inout Group) -> Void) {
        guard let index = groups.index(forKey: id) else { return }
        let wasLocked = groups.values[index].isLocked
        let first = groups.values[index].waiting.first?.sequence
        count(groups.values[index].waiting.count, isLocked: wasLocked, sign: -1)
        body(&groups.values[index])
        let after = groups.values[index]
        count(after.waiting.count, isLocked: after.isLocked, sign: 1)
        if after.isLocked != wasLocked || after.waiting.first?.sequence != first || after.waiting.isEmpty { settle(id) }
    }

    private mutating func count(_ messages: Int, isLocked: Bool, sign: Int) {
        if isLocked { locked += sign * messages } else { ready += sign * messages }
    }

    /// Puts a group that is not locked in line, has it read on, or forgets it.
    private mutating func settle(_ id: String) {
        guard let group = groups[id], !group.isLocked else { return }
        if let first = group.waiting.first {
            heads.insert(Head(position: first.position, group: id))
            if heads.count > 2 * groups.count + 64 {
                heads = Heap(heads.unordered.filter { self.first(of: $0) != nil })
            }
        } else if let next = group.next, isBeforeHorizon(next) {
            if !group.isHungry { hungry.append(id) }
            groups[id]?.isHungry = true
        } else {
            groups[id] = nil
        }
    }

    /// Leaves the last messages of a group to the disk if there are too many in memory. If it isn't locked, the first one
    /// stays, which may be the next of all.
    private mutating func shrink(_ id: String) {
        while let group = groups[id], let last = group.waiting.last, group.waiting.count > (group.isLocked ? 0 : 1),
            (group.isLocked ? locked : ready) > limits.window
        {
            groupOf[last.sequence] = nil
            contentBytes -= last.content?.size ?? 0
            beyond += 1
            change(id) { group in
                group.waiting.removeLast()
                group.next = last.sequence
            }
        }
    }

    /// Keeps no more than the limits allow from now on: of each group the last messages go, and then contents.
    private mutating func shrink() {
        for id in Array(groups.keys) {
            shrink(id)
            guard contentBytes > limits.contentBytes, var group = groups[id] else { continue }
            for index in group.waiting.indices.reversed() where contentBytes > limits.contentBytes {
                contentBytes -= group.waiting[index].content?.size ?? 0
                group.waiting[index].content = nil
            }
            groups[id] = group
        }
    }
}

extension QueuedMessage {
    /// The group in a FIFO queue, where each message has one.
    fileprivate var groupID: String { group ?? "" }
}
