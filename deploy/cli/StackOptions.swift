import ArgumentParser
import Foundation

/// Which stack a command is about; every command takes the same two options.
struct StackOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder in which the shop keeps its data; by default .shop beside the package.", valueName: "folder"))
    var data: String?

    @Option(help: ArgumentHelp("Added to each port, so that two shops can run at once.", valueName: "n"))
    var portOffset: Int?

    /// The scripts in deploy/ set the variable, so that the default does not depend on where they are called from.
    var folder: DataFolder {
        DataFolder(data ?? ProcessInfo.processInfo.environment["SHOP_DATA"] ?? ".shop")
    }

    /// What to add to a command so that it means the same stack.
    var asTyped: String {
        data.map { " --data \($0)" } ?? ""
    }
}
