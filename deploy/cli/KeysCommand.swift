import ArgumentParser

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes the secrets of a shop in its data folder if they aren't there yet.",
        discussion: "deploy/up does this by itself; it is of use where something else starts the services.")

    @OptionGroup var stack: StackOptions

    func run() async throws {
        try stack.folder.create()
        _ = try Keys.loadOrMake(path: stack.folder.keysPath)
    }
}
