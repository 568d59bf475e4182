import ArgumentParser
import Foundation

/// What the shop can be asked over HTTP.
struct ShopClient: Sendable {
    /// What is ordered; also the body of the request.
    struct NewOrder: Codable, Equatable, Sendable {
        let customer: OrderAnswer.Customer
        let items: [OrderAnswer.Item]
        let paymentMethod: String
    }

    /// An order as it was at one moment, with the tag that asks for what comes after it.
    struct Reading: Sendable {
        let order: OrderAnswer
        let tag: String?
    }

    private struct Problem: Decodable {
        let title: String?
        let detail: String?
    }

    static let patience = Duration.seconds(10)
    /// What the simulated gateway knows.
    static let paymentMethods = ["pm_ok", "pm_declined", "pm_slow", "pm_silent", "pm_flaky"]

    let addresses: Addresses
    let http: HTTP
    /// The services that this shop runs.
    var services = Set(ServiceTable.all.map(\.name))

    /// Opens the shop that the options name: the running stack of the folder as it was started, else the ports of
    /// a shop that something else runs, such as containers. What the shop hasn't heard of ends the command with the
    /// exit status for that.
    static func with<Value: Sendable>(
        _ options: StackOptions, _ body: (ShopClient) async throws -> Value
    ) async throws -> Value {
        let folder = options.folder
        let running = folder.isInUse() ? try StackFile.read(from: folder.stackPath) : nil
        let addresses = try Addresses(portOffset: options.portOffset ?? running?.portOffset ?? 0)
        return try await HTTP.with { http in
            var client = ShopClient(addresses: addresses, http: http)
            if let running { client.services.formIntersection(running.services.map(\.name)) }
            if running == nil {
                do {
                    _ = try await http.get(addresses.url(of: "order") + "/health/live", timeout: patience)
                } catch is HTTP.Unreachable {
                    throw ShopError("No shop is running in \(folder.name); start one with deploy/up.")
                }
            }
            do {
                return try await body(client)
            } catch let refused as Refused where refused.status == 404 {
                try Standard().complain(refused.text)
                throw ExitCode.nothingFound
            }
        }
    }

    func products() async throws -> [Product] {
        try await all("inventory", "/products", key: "products")
    }

    /// Places an order. The key makes it safe to ask again after a connection broke: it is the same order then.
    func place(_ order: NewOrder, key: String) async throws -> PlacedAnswer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let answer = try await http.post(
            addresses.url(of: "order") + "/orders", json: encoder.encode(order), headers: ["Idempotency-Key": key],
            timeout: Self.patience)
        return try decode(answer, expecting: 202)
    }

    /// The order now, or, with the tag of an earlier reading, once it is another; `nil` when it stayed as it was.
    func order(_ id: String, after tag: String? = nil, wait: Duration = .seconds(10)) async throws -> Reading? {
        var headers: [String: String] = [:]
        if let tag {
            headers = ["If-None-Match": tag, "Prefer": "wait=\(Int(wait.seconds))"]
        }
        let answer = try await http.get(
            addresses.url(of: "order") + "/orders/" + id.escapedForURL, headers: headers, timeout: wait + Self.patience)
        guard answer.status != 304 else { return nil }
        return Reading(order: try decode(answer, expecting: 200), tag: answer.header("ETag"))
    }

    /// Waits until an order is settled; it isn't if the time was over first.
    func order(_ id: String, settledWithin wait: Duration) async throws -> OrderAnswer {
        let answer = try await http.get(
            addresses.url(of: "order") + "/orders/\(id.escapedForURL)?until=settled",
            headers: ["Prefer": "wait=\(Int(wait.seconds))"], timeout: wait + Self.patience)
        return try decode(answer, expecting: 200)
    }

    /// Asks what an order would cost.
    func quote(_ question: QuoteQuestion, mode: String) async throws -> QuoteAnswer {
        let answer = try await http.post(
            addresses.url(of: "order") + "/quotes?mode=\(mode)", json: JSONEncoder().encode(question), headers: [:],
            timeout: Self.patience)
        return try decode(answer, expecting: 200)
    }

    /// Asks for an order to be cancelled.
    func cancel(_ id: String) async throws -> Reading {
        let answer = try await http.post(
            addresses.url(of: "order") + "/orders/\(id.escapedForURL)/cancel", json: Data("{}".utf8), headers: [:],
            timeout: Self.patience)
        return Reading(order: try decode(answer, expecting: 202), tag: answer.header("ETag"))
    }

    /// All orders that are in a status now, the newest first.
    func orders(in status: String) async throws -> [OrderAnswer] {
        try await all("order", "/orders?status=\(status)", key: "orders")
    }

    /// Where an order's goods are; `nil` if inventory hasn't heard yet that they are to be sent.
    func shipment(of order: String) async throws -> Shipment? {
        let answer = try await http.get(shipmentURL(order), timeout: Self.patience)
        return answer.status == 404 ? nil : try decode(answer, expecting: 200)
    }

    /// Says that the next step of a shipment is done.
    func moveShipment(of order: String, to status: String) async throws -> Shipment {
        let answer = try await http.post(
            shipmentURL(order) + "/status", json: JSONEncoder().encode(["status": status]), headers: [:],
            timeout: Self.patience)
        return try decode(answer, expecting: 200)
    }

    private func shipmentURL(_ order: String) throws -> String {
        try addresses.url(of: "inventory") + "/shipments/" + order.escapedForURL
    }

    /// What the other services know of an order; each is asked at once, and one that is away is left out.
    func effects(of order: String, customer: String) async throws -> Effects {
        let query = "?orderId=\(order.escapedForURL)"
        let person = "/customers/\(customer.escapedForURL)"
        async let charges: [Charge]? = ifThere { try await all("payment", "/charges\(query)", key: "charges") }
        async let mails: [Mail]? = ifThere { try await all("email", "/mails\(query)", key: "mails") }
        async let points: [PointsEntry]? = ifThere { try await all("loyalty", "\(person)/points", key: "entries") }
        async let notifications: [Notification]? = ifThere {
            try await all("notification", "\(person)/notifications", key: "notifications")
        }
        return try await Effects(
            charges: charges, mails: mails,
            points: points?.filter { $0.orderId == order },
            notifications: notifications?.filter { $0.orderId == order })
    }

    /// All pages of a list.
    func all<Item: Decodable & Sendable>(_ service: String, _ path: String, key: String) async throws -> [Item] {
        var items: [Item] = []
        var cursor: String?
        repeat {
            let separator = path.contains("?") ? "&" : "?"
            let page = cursor.map { "\(separator)cursor=\($0.escapedForURL)" } ?? ""
            let answer = try await http.get(addresses.url(of: service) + path + page, timeout: Self.patience)
            let fields: [String: Lenient<Item>] = try decode(answer, expecting: 200)
            items += fields[key]?.list ?? []
            cursor = fields["nextCursor"]?.text
        } while cursor != nil
        return items
    }

    private func ifThere<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch is HTTP.Unreachable {
            return nil
        }
    }

    func decode<Value: Decodable>(_ answer: HTTP.Answer, expecting status: Int) throws -> Value {
        guard answer.status == status else {
            let problem = try? JSONDecoder().decode(Problem.self, from: answer.body)
            let text = problem?.detail ?? problem?.title ?? "The shop gave no reason."
            throw Refused(status: answer.status, text: text)
        }
        do {
            return try JSONDecoder().decode(Value.self, from: answer.body)
        } catch {
            throw ShopError("The shop's answer was not understood: \(error).")
        }
    }
}

/// The shop answered, but not with what was asked for.
struct Refused: Error, CustomStringConvertible {
    let status: Int
    let text: String

    var description: String { "\(text) (HTTP \(status))" }
}

/// A field of a list's answer: the list itself, or one of the scalars beside it.
private struct Lenient<Item: Decodable & Sendable>: Decodable, Sendable {
    let list: [Item]?
    let text: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        text = try? container.decode(String.self)
        do {
            list = try container.decode([Item].self)
        } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
            list = nil
        }
    }
}

extension String {
    /// For one segment of a path or one value of a query.
    var escapedForURL: String {
        let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return addingPercentEncoding(withAllowedCharacters: plain) ?? self
    }
}
