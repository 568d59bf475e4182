/// A variable of a service's own, as `--help` shows it.
public struct EnvironmentVariable: Hashable, Sendable {
    let name: String
    let about: String
    let defaultValue: String?

    /// - Parameters:
    ///   - name: as in the environment: `PAYMENT_TIMEOUT_SECONDS`.
    ///   - about: what it does, in a few words.
    ///   - default: what counts when it isn't set; nil when it must be set.
    public init(_ name: String, _ about: String, default: String? = nil) {
        self.name = name
        self.about = about
        self.defaultValue = `default`
    }

    /// What a service that keeps its data on a server can take over from a file.
    public static let databaseImport = EnvironmentVariable(
        "DATABASE_IMPORT", "sqlite:PATH, with whose data a new database on PostgreSQL begins", default: "")

    /// Those that another module lists for its users.
    public static func all(_ variables: [(name: String, about: String, default: String)]) -> [EnvironmentVariable] {
        variables.map { EnvironmentVariable($0.name, $0.about, default: $0.default) }
    }
}

/// The version of all executables.
public enum ShopVersion {
    /// By semantic versioning.
    public static let current = "0.1.0"
}

/// What `--help` prints.
struct Help {
    let service: String
    let defaultPort: Int
    let about: String
    let variables: [EnvironmentVariable]

    var text: String {
        let all = self.variables + self.common
        let width = all.map(\.name.count).max() ?? 0
        let lines = all.map { variable in
            let padding = String(repeating: " ", count: width - variable.name.count)
            let value = variable.defaultValue.map { $0.isEmpty ? "" : " (default \($0))" } ?? " (required)"
            return "  \(variable.name)\(padding)  \(variable.about)\(value)"
        }
        return """
            \(self.service): \(self.about.isEmpty ? "a service of async-shop." : self.about)

            Usage: \(self.service) [--help | --version]

            It is configured by environment variables:
            \(lines.joined(separator: "\n"))
            """
    }

    private var common: [EnvironmentVariable] {
        [
            EnvironmentVariable("HOST", "address to listen on", default: "127.0.0.1"),
            EnvironmentVariable("PORT", "port to listen on; 0 takes a free one", default: String(self.defaultPort)),
            EnvironmentVariable("DATABASE_URL", "where its data is", default: "sqlite:\(self.service).sqlite"),
            EnvironmentVariable(
                "LOG_LEVEL", "trace, debug, info, notice, warning, error or critical", default: "info"),
            EnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", "where spans go; none are sent without it", default: ""),
            EnvironmentVariable(
                "OTEL_TRACES_SAMPLER", "which traces are recorded, such as parentbased_traceidratio",
                default: "parentbased_always_on"),
            EnvironmentVariable("OTEL_TRACES_SAMPLER_ARG", "which share of them, from 0 to 1", default: "1"),
            EnvironmentVariable("OTEL_SERVICE_NAME", "its name in logs and spans", default: self.service),
        ]
    }
}
