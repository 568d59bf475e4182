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

    @Flag(help: "Print one JSON object a line, for each shipment that was moved or couldn't be.")
    var json = false

    private struct Move: Encodable {
        let orderId: String
        /// Where the goods are now; `nil` if the step was refused.
        let status: String?
        let refusal: String?
    }

    func validate() throws {
        guard every > 0, every <= 3600 else { throw ValidationError("--every must be more than 0 and at most 3600.") }
    }

    func run() async throws {
        try await ShopClient.with(stack) { client in
            while true {
                try await turn(client)
                if once { return }
                try await Task.sleep(for: .seconds(every))
            }
        }
    }

    private static let next = ["preparing": "packed", "packed": "shipped", "shipped": "delivered"]

    private func turn(_ client: ShopClient) async throws {
        for status in ["confirmed", "shipped"] {
            for order in try await client.orders(in: status) {
                guard let shipment = try await client.shipment(of: order.orderId), let step = Self.next[shipment.status]
                else { continue }
                do {
                    let moved = try await client.moveShipment(of: order.orderId, to: step)
                    try show(Move(orderId: moved.orderId, status: moved.status, refusal: nil))
                } catch let refused as Refused where refused.status == 409 {
                    // It was stopped at this moment.
                    try show(Move(orderId: order.orderId, status: nil, refusal: refused.text))
                }
            }
        }
    }

    private func show(_ move: Move) throws {
        guard !json else { return try Standard().json(move) }
        try Standard().line("\(move.orderId) \(move.status ?? move.refusal ?? "")")
    }
}
