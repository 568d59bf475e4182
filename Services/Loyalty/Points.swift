import Contracts
import Foundation

/// Points that a customer got for an order.
struct PointsEntry: Equatable, Sendable {
    let orderID: OrderID
    let points: Int64
    let at: Date
    /// When they were taken back, if they were.
    var reversedAt: Date?

    /// One point for each whole unit of currency.
    static func points(for total: Money) -> Int64 { total.wholeUnits }
}

/// A customer's points with where they came from.
struct PointsAccount: Equatable, Sendable {
    let customer: CustomerID
    let points: Int64
    /// A page of entries, the oldest first.
    let entries: [PointsEntry]
}
