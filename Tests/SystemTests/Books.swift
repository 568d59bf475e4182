import Contracts
import Foundation
import Testing

/// Everything that every service knows, for an audit: whether it all fits together.
struct Books: Sendable {
    /// An order with what belongs to it elsewhere.
    struct Entry: Sendable {
        var order: OrderState
        var ledger: [LedgerEntry]
        var charges: [ChargeState]
        var mails: [MailState]
        var points: [PointsEntry]
        var notifications: [NotificationState]
    }

    var entries: [Entry]
    /// Each customer's points, as loyalty adds them up.
    var balances: [CustomerID: Int64]
    var products: [ProductState]

    /// Reads the books of all orders of these customers.
    static func read(from shop: ShopAPI, customers: [CustomerID]) async throws -> Books {
        let entries = try await withThrowingTaskGroup(of: [Entry].self) { group in
            for customer in customers { group.addTask { try await Self.entries(of: customer, from: shop) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        var balances: [CustomerID: Int64] = [:]
        for customer in customers { balances[customer] = try await shop.balance(of: customer) }
        return Books(entries: entries, balances: balances, products: try await shop.products())
    }

    private static func entries(of customer: CustomerID, from shop: ShopAPI) async throws -> [Entry] {
        let points = try await shop.points(of: customer)
        let notifications = try await shop.notifications(of: customer)
        var entries: [Entry] = []
        for order in try await shop.orders(of: customer) {
            let id = order.orderId
            entries.append(
                Entry(
                    order: order, ledger: try await shop.ledger(of: id), charges: try await shop.charges(of: id),
                    mails: try await shop.mails(about: id), points: points.filter { $0.orderId == id },
                    notifications: notifications.filter { $0.orderId == id }))
        }
        return entries
    }

    func entries(_ status: String) -> [Entry] { entries.filter { $0.order.status == status } }
}

extension Books.Entry {
    /// Whether nothing more can happen to the order. A charge that was asked for will come, unless the payment method
    /// is the one that never answers.
    func isSettled(paidBy method: PaymentMethod?) -> Bool {
        switch order.status {
        case "confirmed": !order.isCancelling
        case "refunded", "delivered": true
        case "cancelled" where !order.passed("reserved"): true
        case "cancelled":
            charges.count == 1
                && charges.allSatisfy { $0.status == "failed" || ($0.status == "requested" && method == .silent) }
        default: false
        }
    }
}

// MARK: - Waiting for the end

extension Books {
    /// Waits until nothing more can happen to any order, then reads everything.
    /// - Parameter methods: how the orders are paid.
    static func settled(in shop: ShopAPI, methods: [OrderID: PaymentMethod]) async throws -> Books {
        try await eventually("all orders are settled and all late payments returned", within: .seconds(90)) {
            let books = try await Books.read(from: shop, customers: CrashPlan.customers)
            return books.entries.allSatisfy { $0.isSettled(paidBy: methods[$0.order.orderId]) }
        }
        try await BrokerAPI(stack: shop.stack).waitUntilQuiet(delayed: true)
        // Mails go out after the queues are empty.
        return try await eventually("all mails are out", within: .seconds(60)) {
            let books = try await Books.read(from: shop, customers: CrashPlan.customers)
            return books.entries.allSatisfy { $0.mails.count >= ($0.order.status == "refunded" ? 2 : 1) } ? books : nil
        }
    }
}

// MARK: - The audit

extension Books {
    /// Waits until nothing more can happen to any order, then checks that nothing was lost and nothing happened twice.
    /// - Parameters:
    ///   - methods: how the orders are paid that were accepted.
    ///   - initial: the stock before them.
    @discardableResult
    static func audited(
        in shop: ShopAPI, methods: [OrderID: PaymentMethod], initial: [ProductState]
    ) async throws -> Books {
        let books = try await settled(in: shop, methods: methods)
        #expect(Set(books.entries.map(\.order.orderId)) == Set(methods.keys), "no order is lost or made twice")
        books.audit(initial: initial)
        try await books.expectNoDeadLetters(in: shop.stack)
        try books.expectMailbox(of: shop.stack)
        return books
    }

    func expectNoDeadLetters(in stack: Stack) async throws {
        for queue in Topology.shop.queues {
            let letters = try await BrokerAPI(stack: stack).drain(queue.deadLetters)
            let reasons = letters.map { $0.attributes["reason"] ?? "moved by the broker: \($0.body)" }
            #expect(reasons == [], "\(queue)")
        }
    }

    /// The mailbox has each mail once: a retry can't make a second one.
    func expectMailbox(of stack: Stack) throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: stack.maildir.appending(path: "new").path)
        #expect(files.count == entries.reduce(0) { $0 + $1.mails.count })
    }
}

extension Books {
    /// Checks each order's own books, and the stock against all of them.
    func audit(initial: [ProductState]) {
        for entry in entries { entry.audit() }
        for (customer, balance) in balances {
            let points = entries.filter { $0.order.customer.id == customer }.flatMap(\.points).map(\.points)
            #expect(balance == points.reduce(0, +), "\(customer): points")
        }
        var sold: [SKU: Int] = [:]
        for item in entries("confirmed").flatMap(\.order.items) { sold[item.sku, default: 0] += item.quantity }
        for (before, after) in zip(initial, products) {
            #expect(after.sku == before.sku)
            let gone = after.sold - before.sold
            #expect(gone == sold[after.sku, default: 0], "\(after.sku): what was sold was confirmed")
            #expect(after.onHand == before.onHand - gone, "\(after.sku): what isn't there was sold")
            #expect(after.reserved == 0, "\(after.sku): nothing is held for anybody")
        }
    }
}

extension Books.Entry {
    fileprivate func audit() {
        let id = order.orderId
        let taken = ledger.filter { $0.kind == "charge" && $0.status == "succeeded" }
        let returned = ledger.filter { $0.kind == "refund" && $0.status == "succeeded" }
        let wasPaid = order.passed("confirmed") || order.passed("refunded")
        let outcomes = ["confirmed", "cancelled", "refunded"].filter { order.passed($0) }.map { "order_\($0)" }
        #expect(taken.count == (wasPaid ? 1 : 0), "\(id), \(order.status): charges in the gateway's ledger")
        #expect(
            returned.count == (order.passed("refunded") ? 1 : 0),
            "\(id), \(order.status): refunds in the gateway's ledger")
        #expect((taken + returned).allSatisfy { $0.amount == order.total }, "\(id): amounts")
        #expect(charges.count <= 1, "\(id): charges in payment")
        #expect(mails.map(\.kind).sorted() == outcomes.sorted(), "\(id): mails")
        // Of a confirmed order that was cancelled loyalty may hear in any order: points came and went, or never came.
        let given = order.total.wholeUnits
        let possiblePoints: [[Int64]] =
            switch (order.passed("confirmed"), order.passed("cancelled")) {
            case (true, false): [[given]]
            case (true, true): [[given, -given], []]
            case (false, _): [[]]
            }
        #expect(possiblePoints.contains(points.map(\.points)), "\(id): points")
        let told = points.map { $0.points < 0 ? "points_reversed" : "points_awarded" }
        #expect(
            notifications.map(\.kind).sorted() == (["order_placed"] + outcomes + told).sorted(), "\(id): notifications")
        let statuses = order.history.map(\.status)
        #expect(Set(statuses).count == statuses.count, "\(id): each status once")
    }
}
