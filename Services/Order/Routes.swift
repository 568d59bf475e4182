import Contracts
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Messaging
import ServiceKit

/// The order service's HTTP interface; see `openapi.yaml`.
struct Routes: Sendable {
    let store: OrderStore
    let saga: OrderSaga

    func add(to router: Router<ShopRequestContext>) {
        router.post("/orders", use: place)
        router.get("/orders", use: list)
        router.get("/orders/:id", use: follow)
        router.post("/orders/:id/cancel", use: cancel)
    }
}

// MARK: - Placing

extension Routes {
    /// Accepts an order: what is answered with 202 is on disk, together with the event that sets everything going.
    @Sendable private func place(request: Request, context: ShopRequestContext) async throws -> Response {
        let key = try request.requiredIdempotencyKey().value
        let body = try await request.decode(PlaceOrder.self)
        let hash = try body.hash()
        if let earlier = try await store.earlierRequest(key) { return try repeated(earlier, hash: hash) }

        try body.validate()
        let messageContext = MessageContext.current()
        let order = try await price(body, correlationID: messageContext.correlationID)
        let earlier = try await store.placeOrder(
            order, idempotencyKey: key, requestHash: hash, emitting: saga.placed(order), context: messageContext)
        // The same request may have come a second time while this one was being priced.
        if let earlier { return try repeated(earlier, hash: hash) }
        return try accepted(order)
    }

    /// The same request gets the same answer; the key of another one can't be used again.
    private func repeated(_ earlier: OrderStore.EarlierRequest, hash: String) throws -> Response {
        guard earlier.requestHash == hash else {
            throw Problem.invalid(
                field: "Idempotency-Key", "This Idempotency-Key belongs to another request; use a new one.",
                kind: "idempotency-key-reused")
        }
        return try accepted(earlier.order)
    }

    private func accepted(_ order: Order) throws -> Response {
        try Response(
            json: AcceptedOrder(
                orderId: order.id, status: Order.Status.placed.rawValue, correlationId: order.correlationID,
                total: order.total),
            status: .accepted, headers: [.location: "/orders/\(order.id)"])
    }

    /// Makes the order at the prices that the service knows.
    private func price(_ body: PlaceOrder, correlationID: String) async throws -> Order {
        let basket = try await Pricing(store: store).basket(of: body.items)
        return Order(
            id: .make(), customer: body.customer, lines: basket.lines, total: basket.total,
            paymentMethod: body.paymentMethod, correlationID: correlationID, at: Date())
    }
}

// MARK: - Following

extension Routes {
    private static let longestWaitSeconds = 30

    /// The order as it is, or, with `Prefer: wait=SECONDS` (RFC 7240), as soon as it isn't what `If-None-Match` names any
    /// more, or, with `until=settled`, as soon as it is settled.
    @Sendable private func follow(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = OrderID(rawValue: try context.pathParameter("id"))
        let known = request.headers[.ifNoneMatch]
        let isUntilSettled = try Self.isUntilSettled(request)
        let deadline = ContinuousClock.now + .seconds(Self.waitSeconds(request.headers[.prefer]))
        let order = try await context.cancelWhenAbandoned {
            try await store.changes.withTicket(for: id) { ticket in
                while true {
                    let order = try await find(id)
                    let isReached = isUntilSettled ? order.isSettled : order.eTag != known
                    if isReached || ContinuousClock.now >= deadline || Task.isCancelled { return order }
                    await ticket.signal.wait(until: deadline, clock: ContinuousClock())
                }
            }
        }
        return try answer(order, known)
    }

    private func find(_ id: OrderID) async throws -> Order {
        guard let order = try await store.order(id) else {
            throw Self.unknown(id)
        }
        return order
    }

    private static func unknown(_ id: OrderID) -> Problem {
        .notFound("There is no order '\(id)'; take the id from the answer to POST /orders.")
    }

    private func answer(_ order: Order, _ known: String?) throws -> Response {
        if order.eTag == known { return Response(status: .notModified, headers: [.eTag: order.eTag]) }
        return try Response(json: OrderView(order), headers: [.eTag: order.eTag])
    }

    private static func isUntilSettled(_ request: Request) throws -> Bool {
        guard let goal = request.queryParameter("until") else { return false }
        guard goal == "settled" else {
            throw Problem.invalid(field: "until", "An order can be waited for until=settled, and nothing else.")
        }
        return true
    }

    private static func waitSeconds(_ prefer: String?) -> Int {
        let preferences = (prefer ?? "").split(whereSeparator: { $0 == "," || $0 == ";" })
        let wait = preferences.lazy.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
            .first { $0.hasPrefix("wait=") }
        return min(max(wait.flatMap { Int($0.dropFirst(5)) } ?? 0, 0), longestWaitSeconds)
    }
}

// MARK: - Cancelling

extension Routes {
    /// Takes the wish to cancel. Before the money has come it is granted at once; after that it depends on whether the
    /// goods can still be stopped, and the order tells in time.
    @Sendable private func cancel(request: Request, context: ShopRequestContext) async throws -> Response {
        let id = OrderID(rawValue: try context.pathParameter("id"))
        do {
            guard let order = try await store.advance(id, context: .current(), saga.cancellationRequested) else {
                throw Self.unknown(id)
            }
            return try Response(
                json: OrderView(order), status: .accepted, headers: [.eTag: order.eTag, .location: "/orders/\(id)"])
        } catch let refused as Order.TransitionRefused {
            throw Problem.conflict(
                "The order is \(refused.from) and can't be cancelled any more.", kind: "too-late-to-cancel")
        }
    }
}

// MARK: - Listing

extension Routes {
    private static let pageSize = 50

    /// A page of orders, the newest first.
    @Sendable private func list(request: Request, context: ShopRequestContext) async throws -> Response {
        var status: Order.Status?
        if let word = request.queryParameter("status") {
            status = Order.Status(rawValue: word)
            guard status != nil else {
                let words = Order.Status.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem.invalid(field: "status", "'status' must be one of \(words).")
            }
        }
        let orders = try await store.orders(
            customer: request.queryParameter("customerId").map(CustomerID.init(rawValue:)), status: status,
            correlationID: request.queryParameter("correlationId"),
            before: request.queryParameter("cursor").map(OrderID.init(rawValue:)), limit: Self.pageSize + 1)
        let page = orders.prefix(Self.pageSize)
        return try Response(
            json: OrderPage(
                orders: page.map { OrderView($0) },
                nextCursor: orders.count > Self.pageSize ? page.last?.id : nil))
    }
}

extension Order {
    /// Changes with each transition (RFC 9110 section 8.8.3).
    fileprivate var eTag: String { "\"\(history.count)\(cancellationRequestedAt == nil ? "" : "-cancelling")\"" }
}

extension HTTPField.Name {
    fileprivate static let prefer = HTTPField.Name("Prefer")!
}

// MARK: - Bodies

/// The body of `POST /orders`.
struct PlaceOrder: Codable, Sendable {
    struct Item: Codable, Sendable {
        let sku: SKU
        let quantity: Int
    }

    let customer: Customer
    let items: [Item]
    let paymentMethod: PaymentMethod

    private static let mostItems = 50
    private static let largestQuantity = 1000

    /// - Throws: a problem that names the first field that is wrong.
    func validate() throws(Problem) {
        try Self.requireName(customer.id.rawValue, "customer.id")
        try Self.require(Self.isMailAddress(customer.email), "customer.email", "must be a mail address")
        try Self.requireName(paymentMethod.rawValue, "paymentMethod")
        try Self.validate(items)
    }

    /// - Throws: a problem that names the first item that is wrong.
    static func validate(_ items: [Item]) throws(Problem) {
        try require((1...mostItems).contains(items.count), "items", "must have 1 to \(mostItems) entries")
        var seen: Set<SKU> = []
        for (index, item) in items.enumerated() {
            try require(
                (1...largestQuantity).contains(item.quantity), "items[\(index)].quantity",
                "must be from 1 to \(largestQuantity)")
            try require(
                seen.insert(item.sku).inserted, "items[\(index)].sku", "is there twice; add up the quantities")
        }
    }

    /// - Throws: a problem if the text can't be the name of something.
    static func requireName(_ text: String, _ field: String) throws(Problem) {
        try require(
            (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }, field,
            "must be 1 to 64 visible ASCII characters")
    }

    /// Two requests are the same if they say the same, however they are spaced.
    func hash() throws -> String {
        let digest = SHA256.hash(data: Data(try ContractJSON.encode(self).utf8))
        return Data(digest).base64EncodedString()
    }

    private static func require(_ isRight: Bool, _ field: String, _ rule: String) throws(Problem) {
        if !isRight { throw Problem.invalid(field: field, "'\(field)' \(rule).") }
    }

    /// Something on each side of one @, nothing that would end a header or an address; the rest is the mail server's.
    private static func isMailAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return text.utf8.count <= 254 && parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !#"<>(),;:"[]\"#.utf8.contains($0) }
    }
}

/// The answer to `POST /orders`.
struct AcceptedOrder: Codable, Sendable {
    let orderId: OrderID
    let status: String
    let correlationId: String
    let total: Money
}

/// An order as `GET /orders` shows it.
struct OrderView: Codable, Sendable {
    struct Item: Codable, Sendable {
        let sku: SKU
        let quantity: Int
    }

    struct Step: Codable, Sendable {
        let status: String
        let at: Date
    }

    let orderId: OrderID
    let status: String
    let reason: CancellationReason?
    let cancellationRequestedAt: Date?
    let correlationId: String
    let customer: Customer
    let items: [Item]
    let total: Money
    let history: [Step]

    init(_ order: Order) {
        orderId = order.id
        status = order.status.rawValue
        reason = order.reason
        cancellationRequestedAt = order.cancellationRequestedAt
        correlationId = order.correlationID
        customer = order.customer
        items = order.lines.map { Item(sku: $0.sku, quantity: $0.quantity) }
        total = order.total
        history = order.history.map { Step(status: $0.status.rawValue, at: $0.at) }
    }
}

/// A page of `GET /orders`.
struct OrderPage: Codable, Sendable {
    let orders: [OrderView]
    let nextCursor: OrderID?
}
