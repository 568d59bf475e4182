import Synchronization

/// How many bytes of bodies may be in memory, over all connections of a server: those of requests that are still coming
/// in or have not been answered, and those of answers that their clients have not read. Their beginnings don't count, so
/// that whoever takes all the room, for which it takes no key, doesn't lock out those who send and get little.
final class BodyRoom: Sendable {
    /// How many bytes of a body take no room.
    static let free = 32 << 10

    private let left: Mutex<Int>

    init(_ bytes: Int) { self.left = Mutex(bytes) }

    /// - Returns: whether there was room for so many more.
    func take(_ bytes: Int) -> Bool {
        self.left.withLock { left in
            guard left >= bytes else { return false }
            left -= bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { self.left.withLock { $0 += bytes } }
}
