import ArgumentParser

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels an order, and waits until that is decided.",
        discussion: """
            Until the money is there that is at once; afterwards it depends on whether the goods have left.

            Exit status: 0 it is cancelled; 3 it is too late; 2 it isn't decided yet, or there is no such order; 1 for \
            errors.
            """)

    private static let patience = Duration.seconds(30)

    @OptionGroup var stack: StackOptions

    @Argument(help: "The order's id.")
    var order: String

    @Flag(help: "Print the order as JSON.")
    var json = false

    func run() async throws {
        try await ShopClient.with(stack) { client in
            let decided: OrderAnswer
            do {
                decided = try await Self.decision(try await client.cancel(order), client)
            } catch let refused as Refused where refused.status == 409 {
                try Standard().complain(refused.text)
                throw ExitCode.notWell
            }
            let (outcome, status) = Self.outcome(of: decided)
            if json { try Standard().json(decided) } else { try Standard().line(outcome) }
            guard status == .success else { throw status }
        }
    }

    static func outcome(of order: OrderAnswer) -> (sentence: String, status: ExitCode) {
        switch (order.status, order.cancellationRequestedAt) {
        case ("cancelled", _), ("refunded", _): ("Order \(order.orderId) is cancelled.", .success)
        case (_, .some): ("It isn't decided yet; deploy/shop status \(order.orderId) tells.", .nothingFound)
        case (let status, nil): ("It is too late: order \(order.orderId) is \(status).", .notWell)
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
