import ArgumentParser
import Foundation

struct OrderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order",
        abstract: "Places an order and follows it until it is settled.",
        discussion: """
            A confirmed order is settled when its points, mail and notification are there too, a cancelled one when its \
            mail and notification are; nothing is expected of a service that the shop does not run.

            Exit status: 0 confirmed; 3 cancelled or refunded; 2 not settled in time; 1 for errors. \
            With --count, the worst of all: an error, then not settled, then cancelled.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("Who orders; by default a new customer for each order.", valueName: "id"))
    var customer: String?

    @Option(help: ArgumentHelp("Where the mail goes; by default the customer at example.com.", valueName: "address"))
    var email: String?

    @Option(
        name: .customLong("item"),
        help: ArgumentHelp("What is ordered; may be given more than once.", valueName: "sku=quantity"))
    var items: [String] = []

    @Option(
        help: ArgumentHelp(
            "pm_ok, pm_declined, pm_slow (the result comes too late), pm_silent (never), pm_flaky.",
            valueName: "name"), completion: .list(ShopClient.paymentMethods))
    var method = "pm_ok"

    @Option(help: ArgumentHelp("How many orders.", valueName: "n"))
    var count = 1

    @Option(help: ArgumentHelp("How many at once; one after another shows what an idle machine does.", valueName: "n"))
    var concurrency = 1

    @Option(help: ArgumentHelp("How long an order may take to be settled.", valueName: "seconds"))
    var timeout = 60

    @Flag(help: "Print how the orders ended and how long confirmation took, by percentile, and no single order.")
    var summary = false

    @Flag(help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        guard count >= 1, concurrency >= 1, timeout >= 1 else {
            throw ValidationError("--count, --concurrency and --timeout must be at least 1.")
        }
        _ = try items.map(Self.item)
    }

    func run() async throws {
        let status = try await ShopClient.with(stack) { client in
            let basket = try await basket(client)
            return try await place(basket, client)
        }
        guard status == 0 else { throw ExitCode(status) }
    }

    static func item(_ text: String) throws -> OrderAnswer.Item {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let quantity = Int(parts[1]) else {
            throw ValidationError("--item must be SKU=QUANTITY with a whole number, not '\(text)'.")
        }
        return OrderAnswer.Item(sku: String(parts[0]), quantity: quantity)
    }

    /// What is ordered: the items given, else one of a product for each order.
    private func basket(_ client: ShopClient) async throws -> [[OrderAnswer.Item]] {
        guard items.isEmpty else { return [try items.map(Self.item)] }
        let products: [Product]
        do {
            products = try await client.products()
        } catch is HTTP.Unreachable {
            throw ShopError("inventory does not answer, so there is nothing to choose from; give --item SKU=QUANTITY.")
        }
        let choices = Self.choices(for: count, from: products)
        guard !choices.isEmpty else {
            throw ShopError("All products are sold out; give --item SKU=QUANTITY to try all the same.")
        }
        return choices.map { [OrderAnswer.Item(sku: $0, quantity: 1)] }
    }

    /// Another product for each order, as long as there is one left of it; after that, whatever there is most of.
    static func choices(for count: Int, from products: [Product]) -> [String] {
        let available = products.filter { $0.available > 0 }.sorted { $0.available > $1.available }
        guard let most = available.first else { return [] }
        var choices: [String] = []
        var round = 0
        while choices.count < count {
            let left = available.filter { $0.available > round }.map(\.sku)
            choices += left.isEmpty ? [most.sku] : left
            round += 1
        }
        return Array(choices.prefix(count))
    }

    private func place(_ baskets: [[OrderAnswer.Item]], _ client: ShopClient) async throws -> Int32 {
        let printer = OrderPrinter(isJSON: json, isQuiet: summary, isSingle: count == 1)
        return try await withThrowingTaskGroup(of: OrderRun.Ending.self) { group in
            var latencies = LatencySummary()
            var worst = Exit.confirmed
            var next = 0
            func startOne() {
                let run = OrderRun(
                    client: client, order: newOrder(items: baskets[next % baskets.count]), timeout: .seconds(timeout),
                    isSeenEverywhere: count == 1 && !summary,
                    show: { try printer.show($0) })
                next += 1
                group.addTask { try await run.run() }
            }
            while next < min(count, concurrency) { startOne() }
            while let ending = try await group.next() {
                if next < count { startOne() }
                latencies.record(
                    ending.isSettled ? ending.outcome : .unsettled, acceptedToConfirmed: ending.acceptedToConfirmed)
                worst = max(worst, Exit(ending))
                try printer.show(ending)
            }
            if summary { try printer.show(latencies) }
            return worst.status
        }
    }

    private func newOrder(items: [OrderAnswer.Item]) -> ShopClient.NewOrder {
        let id = customer ?? "guest-" + UUID().uuidString.prefix(8).lowercased()
        return ShopClient.NewOrder(
            customer: OrderAnswer.Customer(id: id, email: email ?? "\(id)@example.com"), items: items,
            paymentMethod: method)
    }
}

/// What the program ends with, from the best to the worst.
private enum Exit: Comparable {
    case confirmed, cancelled, unsettled

    init(_ ending: OrderRun.Ending) {
        switch (ending.isSettled, ending.outcome) {
        case (false, _), (_, .unsettled): self = .unsettled
        case (true, .confirmed): self = .confirmed
        case (true, .cancelled), (true, .refunded): self = .cancelled
        }
    }

    var status: Int32 {
        switch self {
        case .confirmed: 0
        case .cancelled: 3
        case .unsettled: 2
        }
    }
}
