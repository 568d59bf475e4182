import ArgumentParser
import Foundation

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is not well with the running shop, and what to do about it.",
        discussion: "Exits with 0 when all is well, with 3 when something isn't, and with 1 when no shop runs.")

    /// Something that isn't as it should be.
    struct Finding: Encodable, Equatable {
        let about: String
        let problem: String
        let advice: String
    }

    @OptionGroup var stack: StackOptions

    @Flag(help: "Print one JSON object a line, for each finding.")
    var json = false

    /// Older than this a message has a consumer that is stopped or too slow.
    private static let oldest = 30.0
    private static let fullOutbox = 100

    func run() async throws {
        let findings = try await ShopClient.with(stack) { shop in
            var findings = try lifeless()
            let names = shop.services.union([ServiceTable.console]).sorted()
            for name in names { findings += try await Self.examine(name, shop) }
            let console = ConsoleClient(url: try shop.addresses.url(of: ServiceTable.console), http: shop.http)
            if let overview = try? await console.get("/api/overview", as: QueuesCommand.Overview.self).value {
                findings += Self.findings(in: overview)
            }
            return findings
        }
        guard !json else {
            try findings.forEach(Standard().json)
            return try Self.conclude(findings)
        }
        for finding in findings { try Standard().line("\(finding.about): \(finding.problem) \(finding.advice)") }
        if findings.isEmpty { try Standard().line("All is well.") }
        try Self.conclude(findings)
    }

    private static func conclude(_ findings: [Finding]) throws {
        if !findings.isEmpty { throw ExitCode.notWell }
    }

    /// Services that the supervisor is about to start again.
    private func lifeless() throws -> [Finding] {
        let folder = stack.folder
        guard folder.isInUse(), let file = try StackFile.read(from: folder.stackPath) else { return [] }
        return file.services.filter { $0.processID == nil }.map { process in
            Finding(
                about: process.name, problem: "It has ended and is between two lives.",
                advice: "Its last lines are in \(folder.name)/logs/\(process.name).log.")
        }
    }

    private static func examine(_ name: String, _ shop: ShopClient) async throws -> [Finding] {
        do {
            let url = try shop.addresses.url(of: name)
            let answer = try await shop.http.get(url + "/health/ready", timeout: .seconds(3))
            guard answer.status != 200 || Readiness.lack(in: answer.body) != nil else { return [] }
            let lack = Readiness.lack(in: answer.body) ?? "status \(answer.status)"
            return [
                Finding(
                    about: name, problem: "It isn't ready: \(lack).", advice: "It goes on by itself once that is there."
                )
            ]
        } catch is HTTP.Unreachable {
            return [
                Finding(
                    about: name, problem: "It does not answer.",
                    advice: name == ServiceTable.console
                        ? "Without it nothing is known of queues and dead letters; orders go on."
                        : "Its messages wait for it; see its log, or start the shop with it.")
            ]
        }
    }

    /// What the queues tell.
    static func findings(in overview: QueuesCommand.Overview) -> [Finding] {
        let dead = overview.queues.filter { $0.deadLetters > 0 }.map { queue in
            Finding(
                about: "\(queue.name)-dlq", problem: "It has \(queue.deadLetters) dead letters.",
                advice: "See shop dlq list \(queue.name)-dlq; shop dlq redrive sends them back.")
        }
        let late = overview.queues.filter { $0.oldestSeconds > oldest && $0.visible > 0 }.map { queue in
            Finding(
                about: queue.name,
                problem: "\(queue.visible) messages wait, the oldest for \(Int(queue.oldestSeconds)) s.",
                advice: "Its consumer is stopped or too slow; see whether \(queue.name) is ready.")
        }
        let full = overview.services.filter { ($0.outboxDepth ?? 0) > fullOutbox }.map { service in
            Finding(
                about: service.name, problem: "\(service.outboxDepth ?? 0) messages wait in its outbox.",
                advice: "The broker doesn't take them; see whether it is ready.")
        }
        return dead + late + full
    }
}
