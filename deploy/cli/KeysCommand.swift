import ArgumentParser

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Makes the secrets of a shop in its data folder if they aren't there yet.",
        discussion: """
            deploy/up does this by itself; it is of use where something else starts the services. With --export it \
            prints what a shell needs for `aws` and other clients to speak to the broker: \
            eval "$(deploy/shop keys --export)"
            """)

    @OptionGroup var stack: StackOptions

    @Flag(help: "Print the broker's keys and address as a shell's assignments.")
    var export = false

    @Flag(help: "Print the same as one JSON object.")
    var json = false

    func run() async throws {
        try stack.folder.create()
        let keys = try Keys.loadOrMake(path: stack.folder.keysPath)
        guard export || json else { return }
        let running = try StackFile.read(from: stack.folder.stackPath)
        let addresses = try Addresses(portOffset: stack.portOffset ?? running?.portOffset ?? 0)
        let broker = try addresses.url(of: "broker")
        guard !json else { return try Standard().json(keys.variables(endpoint: broker)) }
        try keys.exports(endpoint: broker).forEach(Standard().line)
    }
}
