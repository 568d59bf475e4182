import Messaging
import ServiceKit

/// What the console is told about its surroundings, read from the environment.
struct ConsoleSettings: Sendable {
    /// All that is watched, in the order in which it is shown; the broker comes first, unless it is Amazon's.
    var names: [String]
    /// Where they answer.
    var urls: [String: String]
    /// How much of the past is kept.
    var history: TraceStore.Limits
    /// Where `deploy/up` keeps the services' log lines; `nil` where there is no such folder.
    var logFolder: String?
    /// The names under which a browser may ask for the page.
    var hosts: Set<String>
    var broker: MessagingSettings

    /// The services that the console asks, and where they are by default.
    static let services = [
        ("order", 8081), ("payment", 8082), ("inventory", 8083), ("email", 8084), ("loyalty", 8085),
        ("notification", 8086),
    ]

    static let variables: [EnvironmentVariable] =
        services.map { name, port in
            EnvironmentVariable("\(name.uppercased())_URL", "where \(name) is", default: "http://127.0.0.1:\(port)")
        } + [
            EnvironmentVariable("CONSOLE_HOSTS", "names under which it may be opened", default: defaultHosts),
            EnvironmentVariable("HISTORY_SPANS", "spans that are kept", default: "200000"),
            EnvironmentVariable("HISTORY_MEGABYTES", "room that they may take", default: "200"),
            EnvironmentVariable("HISTORY_HOURS", "how long they are kept", default: "168"),
            EnvironmentVariable("LOG_FOLDER", "where deploy/up keeps the log lines", default: ""),
        ] + EnvironmentVariable.all(MessagingSettings.variables.filter { $0.name.hasPrefix("AWS_") })

    private static let defaultHosts = "localhost,127.0.0.1,[::1],console"

    init(_ configuration: ServiceConfiguration) throws {
        broker = try MessagingSettings(
            string: configuration.string, int: configuration.int, url: configuration.url)
        names = (broker.access.endpoint == nil ? [] : ["broker"]) + Self.services.map { $0.0 }
        urls = broker.access.endpoint.map { ["broker": $0] } ?? [:]
        for (name, port) in Self.services {
            var url = try configuration.url("\(name.uppercased())_URL", default: "http://127.0.0.1:\(port)")
                .absoluteString
            while url.hasSuffix("/") { url.removeLast() }
            urls[name] = url
        }
        history = TraceStore.Limits(
            spans: try configuration.int("HISTORY_SPANS", default: 200_000, in: 1000...100_000_000),
            bytes: try configuration.int("HISTORY_MEGABYTES", default: 200, in: 1...1_000_000) * 1_000_000,
            age: try configuration.int("HISTORY_HOURS", default: 168, in: 1...87_600) * 3600)
        logFolder = configuration.optional("LOG_FOLDER")
        let names = try configuration.string("CONSOLE_HOSTS", default: Self.defaultHosts)
        hosts = Set(names.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).lowercased() })
    }
}
