import ArgumentParser

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels an order, and waits until that is decided.",
        discussion: "Until the money is there that is at once; afterwards it depends on whether the goods have left.")

    private static let patience = Duration.seconds(30)

    @OptionGroup var stack: StackOptions

    @Argument(help: "The order's id.")
    var order: String

    @Flag(help: "Print the order as JSON.")
    var json = false

    func run() async throws {
        try await ShopClient.with(stack) { client in
            let decided = try await Self.decision(try await client.cancel(order), client)
            if json { return try Standard().json(decided) }
            let outcome: String
            switch (decided.status, decided.cancellationRequestedAt) {
            case ("cancelled", _), ("refunded", _): outcome = "Order \(order) is cancelled."
            case (_, .some): outcome = "It isn't decided yet; deploy/shop status \(order) tells."
            case (let status, nil): outcome = "It is too late: order \(order) is \(status)."
            }
            try Standard().line(outcome)
        }
    }

    private static func decision(_ first: ShopClient.Reading, _ client: ShopClient) async throws -> OrderAnswer {
        let deadline = ContinuousClock.now + patience
        var reading = first
        while reading.order.cancellationRequestedAt != nil, ContinuousClock.now < deadline {
            if let next = try await client.order(reading.order.orderId, after: reading.tag) { reading = next }
        }
        return reading.order
    }
}
