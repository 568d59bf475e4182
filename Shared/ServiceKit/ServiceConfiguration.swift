import Configuration
public import Foundation
public import Logging
public import Telemetry

/// A setting that is missing or wrong. The message is one line that names the variable and says what it must be; it
/// never repeats a secret.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence to print.
    public let message: String

    /// - Parameter message: one sentence that begins with the variable's name.
    public init(_ message: String) {
        self.message = message
    }

    public var description: String { self.message }
}

/// What a service is told by its environment, read once and checked at start.
///
/// An empty variable counts as one that isn't set, as OpenTelemetry and Compose files have it.
public struct ServiceConfiguration: Sendable {
    /// The service's name: `order`.
    public let service: String
    /// The address to listen on (`HOST`, default 127.0.0.1).
    public let host: String
    /// The port to listen on (`PORT`); 0 takes a free one.
    public let port: Int
    /// The least severe level that is logged (`LOG_LEVEL`, default info).
    public let logLevel: Logger.Level
    /// Where the service's data is (`DATABASE_URL`, default `sqlite:NAME.sqlite` in the working folder).
    public let databaseURL: String
    /// The file with whose data a new database on a server begins (`DATABASE_IMPORT`); nil begins with none.
    public let databaseImport: String?
    /// Where spans go (`OTEL_EXPORTER_OTLP_ENDPOINT`); nil exports none.
    public let otlpEndpoint: String?
    /// Which traces are recorded (`OTEL_TRACES_SAMPLER`, default `parentbased_always_on`, and `OTEL_TRACES_SAMPLER_ARG`).
    public let sampler: Sampler
    /// The name in logs and spans (`OTEL_SERVICE_NAME`, default the service's name).
    public let telemetryName: String

    private let reader: ConfigReader

    /// Reads what all services share.
    ///
    /// - Parameters:
    ///   - service: the service's name.
    ///   - defaultPort: the port when `PORT` isn't set.
    ///   - environment: the variables; the process's own by default.
    public init(
        service: String, defaultPort: Int, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) {
        self.service = service
        self.reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
        self.host = try Self.string("HOST", default: "127.0.0.1", in: self.reader)
        self.port = try Self.int("PORT", default: defaultPort, in: 0...65_535, from: self.reader)
        self.databaseURL = try Self.string("DATABASE_URL", default: "sqlite:\(service).sqlite", in: self.reader)
        self.databaseImport = Self.value("DATABASE_IMPORT", in: self.reader)
        self.telemetryName = try Self.string("OTEL_SERVICE_NAME", default: service, in: self.reader)
        self.otlpEndpoint = try Self.url("OTEL_EXPORTER_OTLP_ENDPOINT", in: self.reader)?.absoluteString
        let sampler = try Self.string("OTEL_TRACES_SAMPLER", default: "parentbased_always_on", in: self.reader)
        let ratio = try Self.double("OTEL_TRACES_SAMPLER_ARG", default: 1, in: 0...1, from: self.reader)
        guard let sampler = Sampler(named: sampler, argument: ratio) else {
            throw ConfigurationError(
                "OTEL_TRACES_SAMPLER must be one of \(Sampler.names.joined(separator: ", ")), not '\(sampler)'.")
        }
        self.sampler = sampler

        let level = try Self.string("LOG_LEVEL", default: "info", in: self.reader)
        guard let logLevel = Logger.Level(rawValue: level.lowercased()) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ConfigurationError("LOG_LEVEL must be one of \(levels), not '\(level)'.")
        }
        self.logLevel = logLevel
    }

    /// A text; without a default the variable must be set.
    public func string(_ variable: String, default: String? = nil) throws(ConfigurationError) -> String {
        try Self.string(variable, default: `default`, in: self.reader)
    }

    /// A text that may be missing.
    public func optional(_ variable: String) -> String? {
        Self.value(variable, in: self.reader)
    }

    /// A secret, which must be set. It never stands in a message or a log.
    public func secret(_ variable: String) throws(ConfigurationError) -> String {
        guard let value = Self.value(variable, isSecret: true, in: self.reader) else { throw Self.missing(variable) }
        return value
    }

    /// A whole number within a range.
    public func int(
        _ variable: String, default: Int? = nil, in range: ClosedRange<Int> = .min ... .max
    ) throws(ConfigurationError) -> Int {
        try Self.int(variable, default: `default`, in: range, from: self.reader)
    }

    /// A number within a range.
    public func double(
        _ variable: String, default: Double? = nil, in range: ClosedRange<Double> = -.infinity ... .infinity
    ) throws(ConfigurationError) -> Double {
        try Self.double(variable, default: `default`, in: range, from: self.reader)
    }

    /// `true` or `false`.
    public func bool(_ variable: String, default: Bool? = nil) throws(ConfigurationError) -> Bool {
        guard let text = Self.value(variable, in: self.reader) else { return try Self.require(`default`, variable) }
        guard let truth = Bool(text.lowercased()) else {
            throw ConfigurationError("\(variable) must be true or false, not '\(text)'.")
        }
        return truth
    }

    /// An `http:` or `https:` URL with a host.
    public func url(_ variable: String, default: String? = nil) throws(ConfigurationError) -> URL {
        let given = try Self.url(variable, in: self.reader)
        return try Self.require(given ?? `default`.flatMap { URL(string: $0) }, variable)
    }

    /// A whole number of seconds within a range.
    public func seconds(
        _ variable: String, default: Int? = nil, in range: ClosedRange<Int> = 0 ... .max
    ) throws(ConfigurationError) -> Duration {
        .seconds(try self.int(variable, default: `default`, in: range))
    }

    /// A whole number of milliseconds within a range.
    public func milliseconds(
        _ variable: String, default: Int? = nil, in range: ClosedRange<Int> = 0 ... .max
    ) throws(ConfigurationError) -> Duration {
        .milliseconds(try self.int(variable, default: `default`, in: range))
    }
}

extension ServiceConfiguration {
    /// swift-configuration's keys are hierarchical; PAYMENT_TIMEOUT_SECONDS is its `payment.timeout.seconds`.
    private static func value(_ variable: String, isSecret: Bool = false, in reader: ConfigReader) -> String? {
        let key = ConfigKey(variable.lowercased().split(separator: "_").map(String.init))
        let value = reader.string(forKey: key, isSecret: isSecret)
        return value?.allSatisfy(\.isWhitespace) == false ? value : nil
    }

    private static func string(
        _ variable: String, default: String?, in reader: ConfigReader
    ) throws(ConfigurationError) -> String {
        try self.require(self.value(variable, in: reader) ?? `default`, variable)
    }

    private static func int(
        _ variable: String, default: Int?, in range: ClosedRange<Int>, from reader: ConfigReader
    ) throws(ConfigurationError) -> Int {
        guard let text = self.value(variable, in: reader) else { return try self.require(`default`, variable) }
        guard let number = Int(text), range.contains(number) else {
            let allowed =
                switch (range.lowerBound, range.upperBound) {
                case (.min, .max): ""
                case (let least, .max): " of at least \(least)"
                case (let least, let most): " from \(least) to \(most)"
                }
            throw ConfigurationError("\(variable) must be a whole number\(allowed), not '\(text)'.")
        }
        return number
    }

    private static func double(
        _ variable: String, default: Double?, in range: ClosedRange<Double>, from reader: ConfigReader
    ) throws(ConfigurationError) -> Double {
        guard let text = self.value(variable, in: reader) else { return try self.require(`default`, variable) }
        guard let number = Double(text), range.contains(number) else {
            throw ConfigurationError(
                "\(variable) must be a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'.")
        }
        return number
    }

    private static func url(_ variable: String, in reader: ConfigReader) throws(ConfigurationError) -> URL? {
        guard let text = self.value(variable, in: reader) else { return nil }
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()),
            url.host()?.isEmpty == false
        else {
            // What is wrong with it may be a password in the wrong place, so the value isn't repeated.
            throw ConfigurationError("\(variable) must be a URL like http://127.0.0.1:4566.")
        }
        return url
    }

    private static func require<T>(_ value: T?, _ variable: String) throws(ConfigurationError) -> T {
        guard let value else { throw self.missing(variable) }
        return value
    }

    private static func missing(_ variable: String) -> ConfigurationError {
        ConfigurationError("\(variable) must be set.")
    }
}
