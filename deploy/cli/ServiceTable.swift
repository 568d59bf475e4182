import Foundation

/// One process of the stack: an executable of the package, the port it listens on, and what it is told
/// through its environment beyond what all of them are told.
struct ServiceEntry: Sendable, Equatable {
    let name: String
    var port: Int
    /// May refer to `{data}`, the data folder, and to `{order}` and the like, another service's URL.
    var environment: [String: String] = [:]
    /// What has a database of its own beside the service, by the start of the variables about that.
    var databases: [String: String] = [:]
    /// Which of the service's processes this is.
    var number = 1
    /// Services that others lean on are started first and stopped last.
    var isFoundation = false
    /// Keeps its data in a file that nobody else works on, also where the others share a server.
    var hasOwnFile = false

    /// The same with the service's own.
    var allDatabases: [String: String] { databases.merging(["DATABASE": name]) { $1 } }

    /// `email`, and `email-2` for the second.
    var processName: String { number == 1 ? name : "\(name)-\(number)" }
}

/// The whole stack in the order in which it is started. A new service is one line here.
enum ServiceTable {
    static let all: [ServiceEntry] = [
        ServiceEntry(name: "broker", port: 4566, isFoundation: true, hasOwnFile: true),
        ServiceEntry(
            name: "order", port: 8081,
            environment: ["INVENTORY_URL": "{inventory}", "LOYALTY_URL": "{loyalty}", "PAYMENT_URL": "{payment}"]),
        ServiceEntry(
            name: "payment", port: 8082,
            environment: ["ORDER_WEBHOOK_URL": "{order}/webhooks/payments"],
            databases: ["GATEWAY_DATABASE": "gateway"]),
        ServiceEntry(name: "inventory", port: 8083),
        ServiceEntry(name: "email", port: 8084, environment: ["MAILDIR": "{data}/maildir"]),
        ServiceEntry(name: "loyalty", port: 8085),
        ServiceEntry(
            name: "notification", port: 8086, environment: ["WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "loopback"]),
        ServiceEntry(
            name: "console", port: 8080,
            environment: [
                "ORDER_URL": "{order}", "PAYMENT_URL": "{payment}", "INVENTORY_URL": "{inventory}",
                "EMAIL_URL": "{email}", "LOYALTY_URL": "{loyalty}", "NOTIFICATION_URL": "{notification}",
                "LOG_FOLDER": "{data}/logs",
            ], hasOwnFile: true),
    ]

    /// What a server has to have for them.
    static let databases = all.filter { !$0.hasOwnFile }.flatMap(\.allDatabases.values)

    /// Takes the spans of the others.
    static let console = "console"

    /// The entries that a comma-separated list names, in the table's order; all for `nil`.
    static func selection(_ list: String?) throws -> [ServiceEntry] {
        guard let list else { return all }
        let wanted = list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        for name in wanted where !all.contains(where: { $0.name == name }) {
            throw ShopError("There is no service '\(name)'; choose from \(all.map(\.name).joined(separator: ", ")).")
        }
        guard !wanted.isEmpty else {
            throw ShopError("--services needs at least one of \(all.map(\.name).joined(separator: ", ")).")
        }
        return all.filter { wanted.contains($0.name) }
    }
}

/// Where the services of a stack listen.
struct Addresses: Sendable, Equatable {
    static let host = "127.0.0.1"
    /// Any would do for the broker.
    static let region = "us-east-1"
    /// Files in the data folder.
    static let files = "sqlite:{data}/{service}.sqlite"

    let portOffset: Int

    init(portOffset: Int) throws {
        let ports = ServiceTable.all.map { $0.port + portOffset }
        guard ports.allSatisfy((1...65535).contains) else {
            throw ShopError("--port-offset \(portOffset) moves a port outside of 1 to 65535; choose a smaller one.")
        }
        self.portOffset = portOffset
    }

    func port(of entry: ServiceEntry) -> Int {
        entry.port + portOffset
    }

    func url(of entry: ServiceEntry) -> String {
        "http://\(Self.host):\(port(of: entry))"
    }

    func url(of name: String) throws -> String {
        guard let entry = ServiceTable.all.first(where: { $0.name == name }) else {
            throw ShopError("There is no service '\(name)'.")
        }
        return url(of: entry)
    }

    /// What a service is told through its environment. These win over the caller's environment, because names
    /// such as `HOST`, `MAILDIR` or `AWS_ACCESS_KEY_ID` are often set there for something else; all that is not
    /// named here (`PAYMENT_TIMEOUT_SECONDS`, `LOG_LEVEL`, …) passes through. `nil` unsets.
    ///
    /// - Parameters:
    ///   - databases: where a service's data is, in which `{service}` stands for its name.
    ///   - imports: whether it takes over the files that it had in the data folder.
    ///   - receiver: where its spans go; nowhere without one.
    func environment(
        of entry: ServiceEntry, data: String, databases: String = Self.files, imports: Bool = false, keys: Keys,
        receiver: String? = nil
    ) throws -> [String: String?] {
        func database(_ template: String, of owner: String) -> String {
            filled(template, data: data).replacingOccurrences(of: "{service}", with: owner)
        }
        var environment: [String: String?] = [
            "HOST": Self.host,
            "PORT": String(port(of: entry)),
            "AWS_ENDPOINT_URL": try url(of: "broker"),
            "AWS_REGION": Self.region,
            "AWS_SESSION_TOKEN": nil,
            "OTEL_SERVICE_NAME": entry.name,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        ]
        for (name, value) in keys.values {
            environment[name] = value
        }
        for (name, template) in entry.environment {
            environment[name] = filled(template, data: data)
        }
        for (name, owner) in entry.allDatabases {
            environment["\(name)_URL"] = database(entry.hasOwnFile ? Self.files : databases, of: owner)
            environment["\(name)_IMPORT"] = .some(
                imports && !entry.hasOwnFile ? database(Self.files, of: owner) : nil)
        }
        return environment
    }

    /// Where a service sends its spans: to the receiver that the caller's environment names, else to the console, if that
    /// is among those that run. The broker makes none for what its clients ask of it.
    func receiver(
        of entry: ServiceEntry, among entries: [ServiceEntry],
        caller: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> String? {
        if entry.name == ServiceTable.console { return nil }
        if let named = caller["OTEL_EXPORTER_OTLP_ENDPOINT"], !named.isEmpty { return named }
        let isTold = !entry.isFoundation && entries.contains { $0.name == ServiceTable.console }
        return isTold ? try url(of: ServiceTable.console) : nil
    }

    private func filled(_ template: String, data: String) -> String {
        ServiceTable.all.reduce(template.replacingOccurrences(of: "{data}", with: data)) { text, entry in
            text.replacingOccurrences(of: "{\(entry.name)}", with: url(of: entry))
        }
    }
}
