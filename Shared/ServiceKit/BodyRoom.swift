import Synchronization

/// How many bytes of requests' bodies may be in memory, over all connections of a server: bodies that are still coming in, and
/// those whose requests have not been answered.
final class BodyRoom: Sendable {
    private let free: Mutex<Int>

    init(_ bytes: Int) { self.free = Mutex(bytes) }

    /// - Returns: whether there was room for so many more.
    func take(_ bytes: Int) -> Bool {
        self.free.withLock { free in
            guard free >= bytes else { return false }
            free -= bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { self.free.withLock { $0 += bytes } }
}
