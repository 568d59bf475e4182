/// The waiting messages of a queue: the next ones in memory, the others counted. A standard queue has them in one order,
/// a FIFO queue in groups.
protocol WaitingMessages: Sendable {
    var limits: QueueState.Limits { get set }
    /// How many are in memory.
    var count: Int { get }
    /// How many are on disk only.
    var beyond: Int { get }

    /// Takes up a message that waits from now on.
    mutating func place(_ message: QueuedMessage)
    /// The next message.
    mutating func front() -> QueuedMessage?
    /// Puts the next message, which `front` has just returned, in flight.
    mutating func takeFront(_ message: QueuedMessage)
    /// Ends a run of `takeFront` for one receiver, and says whether `front` may be another one now.
    mutating func moveOn() -> Bool
    /// Takes a message back that was in flight.
    mutating func putBack(_ message: QueuedMessage)
    /// A message in flight has left the queue.
    mutating func release(_ message: QueuedMessage)
    /// Forgets a message, wherever it waits.
    mutating func remove(_ sequence: Int64)
    func contains(_ sequence: Int64) -> Bool
    /// Takes a message of a standard queue out of the middle, if it is in memory.
    mutating func take(_ sequence: Int64) -> QueuedMessage?

    /// What must be read next, if anything.
    mutating func wanted() -> QueueState.PageRequest.Start?
    /// Joins what was read; those in flight don't wait.
    /// - Returns: those that the disk says are in flight still.
    mutating func join(
        _ page: QueueState.Page, for start: QueueState.PageRequest.Start, now: Milliseconds,
        unless isInFlight: (Int64) -> Bool
    ) -> [QueuedMessage]

    /// What waits, in memory and beyond.
    func counts(now: Milliseconds) -> QueueState.Counts
}
