import ArgumentParser

/// The command line of the shop: runs the stack, places orders and follows them.
@main
struct ShopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shop",
        abstract: "Runs the shop, places orders, and follows them through the services.",
        subcommands: [
            UpCommand.self, OrderCommand.self, StatusCommand.self, CancelCommand.self, WarehouseCommand.self,
            MemoryCommand.self, KeysCommand.self, LoadCommand.self,
        ])
}

/// An error that the user can do something about: one sentence, printed as it is.
struct ShopError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
