import AsyncHTTPClient
import Contracts
import Foundation
import NIOCore

/// What a customer, or a curious developer, can ask the shop over HTTP.
struct ShopAPI: Sendable {
    let stack: Stack

    enum Method: String, Sendable { case get, post, put, delete }

    /// An answer as it came.
    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let body: Data

        func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
            guard (200..<300).contains(status) else {
                throw SystemTestError("The answer was \(status): \(String(decoding: body.prefix(500), as: UTF8.self))")
            }
            return try JSONDecoder().decode(type, from: body)
        }
    }

    private static let largestAnswer = 16 * 1024 * 1024

    /// - Parameter chunked: the body's length isn't announced.
    func send(
        _ method: Method, _ program: Program, _ path: String, headers: [String: String] = [:], body: Data? = nil,
        chunked: Bool = false, timeout: Duration = .seconds(10)
    ) async throws -> Answer {
        try await send(
            method, stack.url(of: program) + path, headers: headers, body: body, chunked: chunked, timeout: timeout)
    }

    /// The same to a process of which there may be several.
    func send(
        _ method: Method, _ url: String, headers: [String: String] = [:], body: Data? = nil, chunked: Bool = false,
        timeout: Duration = .seconds(10)
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .RAW(value: method.rawValue.uppercased())
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(body, length: chunked ? .unknown : .known(Int64(body.count))) }
        let response = try await stack.http.execute(request, timeout: TimeAmount(timeout))
        let bytes = try await response.body.collect(upTo: Self.largestAnswer)
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(
                response.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first }),
            body: Data(bytes.readableBytesView))
    }

    private func get<Value: Decodable>(_ program: Program, _ path: String) async throws -> Value {
        try await send(.get, program, path).decode()
    }

    /// All pages of a list.
    func all<Page: ListPage>(
        _ type: Page.Type, _ program: Program, _ path: String
    ) async throws -> [Page.Entry] {
        var entries: [Page.Entry] = []
        var cursor: String?
        repeat {
            let separator = path.contains("?") ? "&" : "?"
            let page: Page = try await get(program, path + (cursor.map { "\(separator)cursor=\($0)" } ?? ""))
            entries += page.entries
            cursor = page.nextCursor
        } while cursor != nil
        return entries
    }
}

// MARK: - Orders

extension ShopAPI {
    /// Sends an order as it is given.
    func post(_ order: NewOrder, key: String, correlationID: String? = nil) async throws -> Answer {
        var headers = ["Content-Type": "application/json", "Idempotency-Key": key]
        headers["X-Correlation-ID"] = correlationID
        return try await send(.post, .order, "/orders", headers: headers, body: try JSONEncoder().encode(order))
    }

    /// Places an order that must be accepted.
    func place(_ order: NewOrder, key: String = UUID().uuidString, correlationID: String? = nil) async throws
        -> AcceptedOrder
    {
        let answer = try await post(order, key: key, correlationID: correlationID)
        guard answer.status == 202 else {
            throw SystemTestError(
                "The order was answered with \(answer.status): \(String(decoding: answer.body, as: UTF8.self))")
        }
        return try answer.decode()
    }

    func order(_ id: OrderID) async throws -> OrderState { try await get(.order, "/orders/\(id)") }

    func orders(of customer: CustomerID) async throws -> [OrderState] {
        try await all(OrderPage.self, .order, "/orders?customerId=\(customer)")
    }

    /// Follows an order until it is in one of the statuses, being told of each change.
    func follow(
        _ id: OrderID, until statuses: Set<String>, within limit: Duration = .seconds(30)
    ) async throws -> OrderState {
        let deadline = ContinuousClock.now + limit
        var state: OrderState?
        var headers: [String: String] = [:]
        while ContinuousClock.now < deadline {
            let answer = try await send(.get, .order, "/orders/\(id)", headers: headers, timeout: .seconds(20))
            guard answer.status != 304 else { continue }
            let order: OrderState = try answer.decode()
            if statuses.contains(order.status) { return order }
            state = order
            headers = ["If-None-Match": answer.headers["etag"] ?? "", "Prefer": "wait=5"]
        }
        throw SystemTestError(
            "Within \(limit) the order \(id) was not \(statuses.sorted()), but \(state?.status ?? "unknown").")
    }
}

// MARK: - Cancelling and sending

extension ShopAPI {
    func cancel(_ id: OrderID) async throws -> Answer { try await send(.post, .order, "/orders/\(id)/cancel") }

    /// Asks for the next step of a shipment.
    func moveShipment(of order: OrderID, to status: String) async throws -> Answer {
        try await send(
            .post, .inventory, "/shipments/\(order)/status", headers: ["Content-Type": "application/json"],
            body: Data(#"{"status":"\#(status)"}"#.utf8))
    }

    /// The shipment of an order that is confirmed, as soon as inventory has heard of it.
    func shipment(of order: OrderID) async throws -> ShipmentState {
        try await eventually("the order \(order) has a shipment") {
            let answer = try await send(.get, .inventory, "/shipments/\(order)")
            return answer.status == 404 ? nil : try answer.decode(ShipmentState.self)
        }
    }
}

// MARK: - What the other services know

extension ShopAPI {
    func products() async throws -> [ProductState] { try await all(ProductPage.self, .inventory, "/products") }

    func product(_ sku: SKU) async throws -> ProductState { try await get(.inventory, "/products/\(sku)") }

    func charges(of order: OrderID) async throws -> [ChargeState] {
        let list: ChargeList = try await get(.payment, "/charges?orderId=\(order)")
        return list.charges
    }

    func ledger(of order: OrderID) async throws -> [LedgerEntry] {
        let ledger: Ledger = try await get(.payment, "/gateway/ledger?orderId=\(order)")
        return ledger.entries
    }

    func mails(about order: OrderID) async throws -> [MailState] {
        try await all(MailPage.self, .email, "/mails?orderId=\(order)")
    }

    func points(of customer: CustomerID) async throws -> [PointsEntry] {
        try await all(PointsPage.self, .loyalty, "/customers/\(customer)/points")
    }

    func balance(of customer: CustomerID) async throws -> Int64 {
        let page: PointsPage = try await get(.loyalty, "/customers/\(customer)/points")
        return page.points
    }

    func notifications(of customer: CustomerID) async throws -> [NotificationState] {
        try await all(NotificationPage.self, .notification, "/customers/\(customer)/notifications")
    }

    /// What the warehouse or the carrier was told of an order.
    func notifications(to channel: String, about order: OrderID) async throws -> [NotificationState] {
        try await all(NotificationPage.self, .notification, "/\(channel)/notifications").filter { $0.orderId == order }
    }

    /// How many messages wait in a service's outbox, by its own metrics.
    func outboxDepth(of program: Program) async throws -> Double? {
        // Of several processes that one knows whose turn it is to send.
        var depth: Double?
        for url in stack.urls(of: program) {
            if let known = try await metric("outbox_depth", at: url) { depth = max(depth ?? 0, known) }
        }
        return depth
    }

    /// The first series of a metric that has these labels, each as `name="value"`; `nil` as long as there is none.
    func metric(_ name: String, _ labels: String..., of program: Program) async throws -> Double? {
        try await metric(name, labels, at: stack.url(of: program))
    }

    private func metric(_ name: String, _ labels: [String] = [], at url: String) async throws -> Double? {
        let metrics = String(decoding: try await send(.get, url + "/metrics").body, as: UTF8.self)
        let line = metrics.split(separator: "\n").first { line in
            line.hasPrefix(name) && labels.allSatisfy { line.contains($0) }
        }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }
    }
}
