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

    func run() async throws {
        try stack.folder.create()
        let keys = try Keys.loadOrMake(path: stack.folder.keysPath)
        guard export else { return }
        let running = try StackFile.read(from: stack.folder.stackPath)
        let addresses = try Addresses(portOffset: stack.portOffset ?? running?.portOffset ?? 0)
        try keys.exports(endpoint: addresses.url(of: "broker")).forEach(Standard().line)
    }
}
