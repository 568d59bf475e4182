import ArgumentParser

/// The command line of the shop: runs the stack, places orders and follows them.
@main
struct ShopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shop",
        abstract: "Runs the shop, places orders, and follows them through the services.",
        discussion: """
            Exit codes: 0 when it is done, 1 when it can't be done, 2 when what was asked for isn't there or doesn't come \
            in time, 3 when not all is well, 64 when the command isn't understood. A command that has more to say with \
            them says so in its own help.
            """,
        subcommands: [
            UpCommand.self, OrderCommand.self, StatusCommand.self, CancelCommand.self, QuoteCommand.self,
            WarehouseCommand.self, TraceCommand.self, QueuesCommand.self, DeadLettersCommand.self, LogsCommand.self,
            DoctorCommand.self, WebhooksCommand.self, MemoryCommand.self, KeysCommand.self, LoadCommand.self,
            CompletionsCommand.self,
        ])
}

/// An error that the user can do something about: one sentence, printed as it is.
struct ShopError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
