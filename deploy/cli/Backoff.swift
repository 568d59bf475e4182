/// How long to wait before a service that died is started again: doubling from 0.2 s to 10 s, and from the
/// beginning once it has run for a while.
struct Backoff: Sendable, Equatable {
    static let shortest = Duration.milliseconds(200)
    static let longest = Duration.seconds(10)
    /// A service that ran this long was well; its next death is a new one.
    static let wellAfter = Duration.seconds(30)

    private var next = Self.shortest

    mutating func delay(afterRunningFor lifetime: Duration) -> Duration {
        if lifetime >= Self.wellAfter {
            next = Self.shortest
        }
        defer { next = min(next * 2, Self.longest) }
        return next
    }
}
