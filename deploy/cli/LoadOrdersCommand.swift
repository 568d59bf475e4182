import ArgumentParser
import Foundation

struct LoadOrdersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "orders",
        abstract: "Places many orders and measures how long until they are accepted, and until they are settled.",
        discussion: """
            Orders are placed on a fixed schedule, however slow the answers are, and all times count from when an order \
            was due, so that a shop that stands still is not asked less and looks no better for it. An order is settled \
            when it is seen to be confirmed or cancelled. With --concurrency and --count the shop sets the pace instead: \
            so many orders at a time, each as soon as one before it has settled, which shows the highest rate it bears.

            Exit status: 0 each order was accepted and settled; 1 some were refused or didn't settle in time, or nothing \
            could be measured; 64 the command isn't understood.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("Orders a second; by default 100.", valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("How long to place orders: 30s, 5m, 1h; by default 60s.", valueName: "time"))
    var duration: TimeSpan?

    @Option(help: ArgumentHelp("Keep so many orders under way instead of placing them at a rate.", valueName: "n"))
    var concurrency: Int?

    @Option(help: ArgumentHelp("How many orders to place with --concurrency.", valueName: "n"))
    var count: Int?

    @Option(help: ArgumentHelp("How long an order may take to be settled.", valueName: "time"))
    var settleWithin = TimeSpan(seconds: 60)

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    @Option(help: ArgumentHelp("Write a report with plots to this file.", valueName: "file"), completion: .file())
    var html: String?

    private static let mostOrders = 1_000_000

    func validate() throws {
        guard (concurrency == nil) == (count == nil) else {
            throw ValidationError("--concurrency and --count belong together.")
        }
        guard concurrency == nil || (rate == nil && duration == nil) else {
            throw ValidationError("--rate and --duration place orders by a schedule; leave them out or --concurrency.")
        }
        guard 0.01...10_000 ~= rate ?? 1 else { throw ValidationError("--rate must be between 0.01 and 10000.") }
        guard .milliseconds(100) ... .seconds(86_400) ~= duration?.duration ?? .seconds(1) else {
            throw ValidationError("--duration must be between 100ms and 24h.")
        }
        guard 1...OrderLoad.followedAtOnce ~= concurrency ?? 1 else {
            throw ValidationError("--concurrency must be between 1 and \(OrderLoad.followedAtOnce).")
        }
        guard 1...Self.mostOrders ~= schedule.count else {
            throw ValidationError("That is \(schedule.count) orders; a run can have 1 to \(Self.mostOrders).")
        }
        guard .seconds(1) ... .seconds(3600) ~= settleWithin.duration else {
            throw ValidationError("--settle-within must be between 1s and 1h.")
        }
    }

    func run() async throws {
        if let html, !Self.canWrite(html) { throw ShopError("\(html) can't be written; give another file to --html.") }
        try OpenFiles.allow(2 * OrderLoad.followedAtOnce, for: "The connections of a run")
        let report = try await ShopClient.with(stack) { shop in
            try await HTTP.with(connections: OrderLoad.followedAtOnce) { http in
                try await OrderLoad(
                    shop: shop, followers: ShopClient(addresses: shop.addresses, http: http), schedule: schedule,
                    limit: settleWithin.duration, sku: Self.product(for: schedule.count, shop),
                    run: String(format: "%08x", UInt32.random(in: 0 ... .max))
                ).measure()
            }
        }
        if let html { try OrderLoadPage(report).html.write(toFile: html, atomically: true, encoding: .utf8) }
        if json { try Standard().json(report) } else { try report.lines.forEach(Standard().line) }
        if !report.isRight { throw ExitCode.failure }
    }

    private var schedule: OrderSchedule {
        if let concurrency, let count { return .closed(concurrency: concurrency, count: count) }
        return .open(rate: rate ?? 100, duration: duration?.duration ?? .seconds(60))
    }

    /// What there is most of, if that is enough: a run that sold the shop out would measure cancellations.
    private static func product(for orders: Int, _ shop: ShopClient) async throws -> String {
        let products: [Product]
        do {
            products = try await shop.products()
        } catch is HTTP.Unreachable {
            throw ShopError("inventory does not answer, so there is nothing to order; start it, or see its log.")
        }
        guard let most = products.max(by: { $0.available < $1.available }), most.available >= orders else {
            throw ShopError("No product is there \(orders) times; ask for fewer orders, or start with another --data.")
        }
        return most.sku
    }

    private static func canWrite(_ file: String) -> Bool {
        let files = FileManager.default
        guard !files.fileExists(atPath: file) else {
            var isFolder: ObjCBool = false
            return files.fileExists(atPath: file, isDirectory: &isFolder) && !isFolder.boolValue
                && files.isWritableFile(atPath: file)
        }
        return files.isWritableFile(atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path)
    }
}
