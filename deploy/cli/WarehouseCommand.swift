import ArgumentParser

struct WarehouseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warehouse",
        abstract: "Plays warehouse and carrier: moves each shipment one step along at each turn, until Ctrl-C.")

    @OptionGroup var stack: StackOptions

    @Option(help: "Seconds between two turns.")
    var every = 2.0

    @Flag(help: "Stop after one turn.")
    var once = false

    func validate() throws {
        guard every > 0, every <= 3600 else { throw ValidationError("--every must be more than 0 and at most 3600.") }
    }

    func run() async throws {
        try await ShopClient.with(stack) { client in
            while true {
                try await Self.turn(client)
                if once { return }
                try await Task.sleep(for: .seconds(every))
            }
        }
    }

    private static let next = ["preparing": "packed", "packed": "shipped", "shipped": "delivered"]

    private static func turn(_ client: ShopClient) async throws {
        for status in ["confirmed", "shipped"] {
            for order in try await client.orders(in: status) {
                guard let shipment = try await client.shipment(of: order.orderId), let step = next[shipment.status]
                else { continue }
                do {
                    let moved = try await client.moveShipment(of: order.orderId, to: step)
                    try Standard().line("\(moved.orderId) \(moved.status)")
                } catch let refused as Refused where refused.status == 409 {
                    // It was stopped at this moment.
                    try Standard().line("\(order.orderId) \(refused.text)")
                }
            }
        }
    }
}
