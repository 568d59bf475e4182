/// When each order of a run is placed.
enum OrderSchedule: Equatable, Sendable {
    /// So many a second, whatever the answers do.
    case open(rate: Double, count: Int)
    /// So many at a time: another one as soon as one is settled.
    case closed(concurrency: Int, count: Int)

    static func open(rate: Double, duration: Duration) -> OrderSchedule {
        .open(rate: rate, count: max(1, Int((rate * duration.seconds).rounded())))
    }

    var count: Int {
        switch self {
        case .open(_, let count), .closed(_, let count): count
        }
    }

    /// When an order is due, since the start; `nil` if that depends on the others.
    func due(_ order: Int) -> Duration? {
        switch self {
        case .open(let rate, _): .nanoseconds(Int64((Double(order) / rate * 1e9).rounded()))
        case .closed: nil
        }
    }

    /// How long placing takes if nothing comes in between; `nil` if that depends on the shop.
    var length: Duration? { due(count) }
}
