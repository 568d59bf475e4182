import AsyncHTTPClient
import Foundation
import Subprocess
import SystemPackage
import TestSupport

/// The real Prometheus, watching a stack.
struct Prometheus: Sendable {
    private static let usualPort = 9090
    private let url: String
    private let http: HTTPClient

    /// Runs one as long as `body` runs. It looks each second, and else does what `deploy/prometheus.yml` says.
    static func watching(_ stack: Stack, _ body: @escaping @Sendable (Prometheus) async throws -> Void) async throws {
        let port = try Self.usualPort + FreePorts.offset(for: [Self.usualPort])
        let folder = stack.folder.appending(path: "prometheus")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let configuration = folder.appending(path: "prometheus.yml")
        try Self.configuration(for: stack).write(to: configuration, atomically: true, encoding: .utf8)
        let log = folder.appending(path: "prometheus.log").path
        let command = try ProgramRun.dyingWithTests([
            executable("prometheus"), "--config.file=\(configuration.path)",
            "--storage.tsdb.path=\(folder.path)/data", "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
        ])
        let prometheus = Prometheus(url: "http://127.0.0.1:\(port)", http: stack.http)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let file = try FileDescriptor.open(
                    FilePath(log), .writeOnly, options: [.append, .create], permissions: [.ownerReadWrite])
                let result = try await Subprocess.run(
                    .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())), input: .none,
                    output: .fileDescriptor(file, closeAfterSpawningProcess: true), error: .combinedWithOutput)
                let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                throw SystemTestError("Prometheus has ended (\(result.terminationStatus)): \(text.suffix(2000))")
            }
            group.addTask {
                try await eventually("Prometheus is ready") { try await prometheus.get("/-/ready").status == 200 }
                try await body(prometheus)
            }
            // When the body has come to its end, Prometheus is killed.
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// What `deploy/prometheus.yml` says, for the ports of a stack.
    private static func configuration(for stack: Stack) throws -> String {
        let usualPorts: [Program: Int] = [
            .broker: 4566, .console: 8080, .order: 8081, .payment: 8082, .inventory: 8083, .email: 8084,
            .loyalty: 8085, .notification: 8086,
        ]
        var text = try String(contentsOf: root.appending(path: "deploy/prometheus.yml"), encoding: .utf8)
        func replace(_ old: String, by new: String) throws {
            guard text.contains(old) else { throw SystemTestError("deploy/prometheus.yml has no '\(old)'.") }
            text = text.replacing(old, with: new)
        }
        try replace("scrape_interval: 5s", by: "scrape_interval: 1s")
        for (program, port) in usualPorts {
            let address = stack.url(of: program).dropFirst("http://".count)
            try replace("\"127.0.0.1:\(port)\"", by: "\"\(address)\"")
        }
        return text
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// One of Prometheus's programs: the system's, or the one that `deploy/test` has unpacked.
    private static func executable(_ name: String) throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map(String.init) + [root.path + "/.build/prometheus/usr/bin"]
        guard let folder = folders.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") })
        else { throw SystemTestError("There is no '\(name)'; deploy/test gets it, or your package manager.") }
        return "\(folder)/\(name)"
    }
}

// MARK: - What it can be asked

extension Prometheus {
    /// Something that it scrapes.
    struct Target: Decodable, Sendable {
        let labels: [String: String]
        let health: String
        let lastError: String
    }

    /// A value of a metric at this moment.
    struct Sample: Decodable, Sendable {
        let metric: [String: String]
        let value: Double

        private enum CodingKeys: String, CodingKey { case metric, value }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            metric = try container.decode([String: String].self, forKey: .metric)
            // A time and a number as text.
            var pair = try container.nestedUnkeyedContainer(forKey: .value)
            _ = try pair.decode(Double.self)
            value = Double(try pair.decode(String.self)) ?? .nan
        }
    }

    func targets() async throws -> [Target] {
        struct Targets: Decodable { let activeTargets: [Target] }
        return try await data(of: "/api/v1/targets", as: Targets.self).activeTargets
    }

    /// All samples that an expression stands for now.
    func samples(_ expression: String) async throws -> [Sample] {
        struct Vector: Decodable { let result: [Sample] }
        let query = expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return try await data(of: "/api/v1/query?query=\(query)", as: Vector.self).result
    }

    /// Waits until an expression stands for one sample, and that is as it should be.
    func expect(_ expression: String, _ isRight: (Double) -> Bool) async throws {
        var last: [Sample] = []
        do {
            try await eventually("\(expression) is right") {
                last = try await samples(expression)
                return last.count == 1 && isRight(last[0].value)
            }
        } catch {
            throw SystemTestError("\(error): it is \(last.map { "\($0.metric) \($0.value)" })")
        }
    }

    private struct Answer<Value: Decodable>: Decodable {
        let data: Value?
        let error: String?
    }

    private func data<Value: Decodable>(of path: String, as type: Value.Type) async throws -> Value {
        let answer = try JSONDecoder().decode(Answer<Value>.self, from: try await get(path).body)
        guard let data = answer.data else { throw SystemTestError("Prometheus: \(answer.error ?? "no data")") }
        return data
    }

    private func get(_ path: String) async throws -> (status: Int, body: Data) {
        let response = try await http.execute(HTTPClientRequest(url: url + path), timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 16 << 20)
        return (Int(response.status.code), Data(body.readableBytesView))
    }

    /// What `promtool check metrics` finds to say about an exposition; nothing if all is well.
    static func objections(to exposition: String) async throws -> String {
        let result = try await Subprocess.run(
            .path(FilePath(executable("promtool"))), arguments: ["check", "metrics"], input: .string(exposition),
            output: .string(limit: 1 << 16), error: .combinedWithOutput)
        let text = result.standardOutput
        return result.terminationStatus.isSuccess ? text : "\(result.terminationStatus): \(text)"
    }
}
