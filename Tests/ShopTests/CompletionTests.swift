import Subprocess
import Testing

@testable import Shop

@Suite struct CompletionTests {
    /// What bash offers for the last of the words.
    private func candidates(_ words: String...) async throws -> Set<String> {
        let quoted = words.map { "'\($0)'" }
        let script = """
            \(CompletionsCommand.script(for: .bash))
            # As bash calls it: the function is the one that the name has, the word and the one before it are arguments.
            completer=$(complete -p shop | sed -n 's/.*-F \\([^ ]*\\) .*/\\1/p')
            COMP_WORDS=(\(quoted.joined(separator: " ")))
            COMP_CWORD=\(words.count - 1)
            COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE}
            "$completer" shop \(quoted.suffix(2).reversed().joined(separator: " "))
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let result = try await Subprocess.run(
            .name("bash"), arguments: ["--norc", "-c", script], output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16))
        #expect(result.terminationStatus.isSuccess && result.standardError == "", "\(result.standardError)")
        return Set(result.standardOutput.split(separator: "\n").map(String.init))
    }

    @Test func bashCompletesCommands() async throws {
        #expect(try await candidates("shop", "lo") == ["load", "logs"])
        #expect(try await candidates("shop", "load", "").isSuperset(of: ["orders", "broker", "streams"]))
        #expect(try await candidates("shop", "dlq", "re") == ["redrive"])
    }

    @Test func bashCompletesOptionsAndWhatTheyTake() async throws {
        #expect(try await candidates("shop", "load", "orders", "--d") == ["--data", "--duration"])
        #expect(try await candidates("shop", "completions", "").isSuperset(of: ["bash", "zsh", "fish"]))
        #expect(try await candidates("shop", "order", "--method", "pm_s") == ["pm_silent", "pm_slow"])
    }

    @Test(arguments: CompletionsCommand.Shell.allCases) func eachShellHasAScript(shell: CompletionsCommand.Shell) {
        let script = CompletionsCommand.script(for: shell)
        #expect(script.contains("shop") && script.contains("settle-within"))
    }
}
