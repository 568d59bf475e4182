import ArgumentParser

struct CompletionsCommand: ParsableCommand {
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash, zsh, fish
    }

    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Prints the script by which a shell completes the words of this command.",
        discussion: """
            bash: eval "$(deploy/shop completions bash)"
            zsh, after compinit: eval "$(deploy/shop completions zsh)"
            fish: deploy/shop completions fish | source

            In the shell's start-up file it is there each time. It is for the name shop in any folder, and so for \
            deploy/shop too.
            """)

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() throws {
        print(Self.script(for: shell))
    }

    static func script(for shell: Shell) -> String {
        switch shell {
        case .bash: ShopCommand.completionScript(for: .bash)
        case .zsh: ShopCommand.completionScript(for: .zsh)
        case .fish: ShopCommand.completionScript(for: .fish)
        }
    }
}
