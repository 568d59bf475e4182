import ArgumentParser
import Foundation

struct LoadStreamsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "Measures what idle live feeds cost notification, and how fast one event reaches all of them.",
        discussion: """
            Opens live feeds of one customer, made up for the run, and reads the memory of notification before and with \
            them. Then it places an order of that customer and measures from the 202 until the line that tells of it has \
            come on each feed. The order isn't paid, so its stock is released again when its time is over.

            Exit status: 0 it came on each feed; 1 it didn't, or nothing could be measured.
            """)

    @OptionGroup var stack: StackOptions

    @Option(help: ArgumentHelp("How many feeds to open.", valueName: "n"))
    var streams = 2000

    @Flag(help: "Print the result as one JSON object.")
    var json = false

    func validate() throws {
        guard 1...25_000 ~= streams else {
            throw ValidationError("--streams must be between 1 and 25000: each takes a port of this machine.")
        }
    }

    func run() async throws {
        try OpenFiles.allow(streams + 100, for: "\(streams) streams")
        let report = try await ShopClient.with(stack) { try await StreamsLoad(client: $0, streams: streams).run() }
        if json { try Standard().json(report) } else { try report.lines.forEach(Standard().line) }
        if !report.isRight { throw ExitCode.failure }
    }
}

/// How many files and connections this program may have open at once.
enum OpenFiles {
    /// Raises the limit as far as needed.
    static func allow(_ count: Int, for what: String) throws {
        #if canImport(Glibc)
            let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let openFiles = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(openFiles, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
        limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
        guard limit.rlim_cur == rlim_t(count), setrlimit(openFiles, &limit) == 0 else {
            throw ShopError(
                "\(what) need \(count) open files, and this shell allows \(limit.rlim_max); raise it with "
                    + "'ulimit -Hn \(count)' as root, or ask for fewer.")
        }
    }
}
