import Foundation

/// Waits until the services of a stack say that they are ready.
struct Readiness: Sendable {
    private static let pause = Duration.milliseconds(20)

    let entries: [ServiceEntry]
    let addresses: Addresses
    let timeout: Duration
    let http: HTTP

    /// Without the broker no service is ever ready; that it lives is then all that there is to wait for.
    var path: String {
        entries.contains { $0.isFoundation } ? "/health/ready" : "/health/live"
    }

    /// Throws a sentence that names those that were not ready in time, with what they lack.
    func wait() async throws {
        let deadline = ContinuousClock.now + timeout
        let late = try await withThrowingTaskGroup(of: String?.self) { group in
            for entry in entries {
                group.addTask { try await wait(for: entry, until: deadline) }
            }
            return try await group.reduce(into: [String]()) { late, answer in
                late += [answer].compactMap(\.self)
            }
        }
        guard late.isEmpty else {
            throw ShopError(
                "Not ready within \(timeout.inSeconds(digits: 0)): \(late.sorted().joined(separator: "; ")).")
        }
    }

    /// `nil` once the service is ready; what it lacks when the time is over.
    private func wait(for entry: ServiceEntry, until deadline: ContinuousClock.Instant) async throws -> String? {
        var lack = "no answer on port \(addresses.port(of: entry))"
        while ContinuousClock.now < deadline {
            do {
                let answer = try await http.get(addresses.url(of: entry) + path, timeout: .seconds(2))
                let missing = Self.lack(in: answer.body, of: answer.status == 200 ? entries.map(\.name) : nil)
                if answer.status == 200, missing == nil { return nil }
                lack = missing ?? "status \(answer.status)"
            } catch is HTTP.Unreachable {
                // It is still starting.
            }
            try await Task.sleep(for: Self.pause)
        }
        return "\(entry.processName) (\(lack))"
    }

    /// What the checks of a readiness answer that are not well say; only those of the names given, if any. A service
    /// that can do without another for a while says that it is ready, but a stack has started once they are together.
    static func lack(in body: Data, of names: [String]? = nil) -> String? {
        struct Answer: Decodable {
            struct Check: Decodable {
                let ready: Bool
                let detail: String?
            }
            let checks: [String: Check]
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: body) else { return nil }
        let lacks = answer.checks.filter { !$0.value.ready && names?.contains($0.key) != false }
            .sorted { $0.key < $1.key }
            .map { check in check.value.detail.map { "\(check.key): \($0)" } ?? check.key }
        return lacks.isEmpty ? nil : lacks.joined(separator: ", ")
    }
}
