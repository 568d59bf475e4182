import ArgumentParser

struct QuoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quote",
        abstract: "Asks what an order would cost and when it would leave.",
        discussion: """
            The order service asks inventory, loyalty and payment at once over the broker and answers by the deadline \
            with what has come. With --sequential it asks them one after another over HTTP; --compare does both by turns.

            Exit status: 0 complete; 2 something is missing; 1 for errors. With --compare, 0 whatever is missing.
            """)

    private static let warmUp = 5

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("Who asks; points make a discount.", valueName: "id"))
    var customer = "ada"

    @Option(
        name: .customLong("item"),
        help: ArgumentHelp(
            "What would be ordered; may be given more than once. By default one of what there is most of.",
            valueName: "sku=quantity"))
    var items: [String] = []

    @Option(
        help: ArgumentHelp("How it would be paid; each method has its fee.", valueName: "name"),
        completion: .list(ShopClient.paymentMethods))
    var method = "pm_ok"

    @Option(help: ArgumentHelp("When the answer is wanted, 10 to 5000; by default 300.", valueName: "milliseconds"))
    var deadline: Int?

    @Flag(help: "Ask one after another over HTTP.")
    var sequential = false

    @Option(help: ArgumentHelp("Ask so many times each way, by turns, and print how long it took.", valueName: "n"))
    var compare: Int?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if let compare, compare < 1 { throw ValidationError("--compare must be at least 1.") }
        if compare != nil, sequential { throw ValidationError("--compare asks both ways; leave out --sequential.") }
        _ = try items.map(OrderCommand.item)
    }

    func run() async throws {
        let isComplete = try await ShopClient.with(stack) { client in
            let question = QuoteQuestion(
                customerId: customer, items: try await basket(client), paymentMethod: method,
                deadlineMilliseconds: deadline)
            if let compare {
                try await self.compare(compare, question, client)
                return true
            }
            let quote = try await client.quote(question, mode: sequential ? "sequential" : "parallel")
            if json { try Standard().json(quote) } else { for line in quote.lines { try Standard().line(line) } }
            return quote.missing.isEmpty
        }
        if !isComplete { throw ExitCode(2) }
    }

    private func basket(_ client: ShopClient) async throws -> [OrderAnswer.Item] {
        guard items.isEmpty else { return try items.map(OrderCommand.item) }
        do {
            let products = try await client.products()
            return OrderCommand.choices(for: 1, from: products).map { OrderAnswer.Item(sku: $0, quantity: 1) }
        } catch is HTTP.Unreachable {
            throw ShopError("inventory does not answer, so there is nothing to choose from; give --item SKU=QUANTITY.")
        }
    }

    /// By turns, so that whatever else the machine does meets both alike; each question on a connection that is open.
    private func compare(_ count: Int, _ question: QuoteQuestion, _ client: ShopClient) async throws {
        var comparison = QuoteComparison()
        for round in -Self.warmUp..<count {
            for mode in QuoteComparison.modes {
                let start = ContinuousClock.now
                let quote = try await client.quote(question, mode: mode)
                if round >= 0 { comparison.record(quote, took: ContinuousClock.now - start) }
            }
        }
        if json { return try Standard().json(comparison.reports) }
        for line in comparison.lines { try Standard().line(line) }
    }
}
