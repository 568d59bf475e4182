import Foundation
import NIOCore
import NIOPosix

/// `shop load broker`: what is done, in its order.
enum BrokerLoad {
    /// Connections that publish, and connections that consume from each queue.
    static let publishers = 16
    static let consumers = 8
    /// Messages in a request.
    static let batch = 10

    struct Plan: Sendable {
        let endpoint: LoadEndpoint
        let signer: LoadSigner
        let messages: Int
        let size: Int
        let queues: Int
        let rate: Int?
        let backlog: Int
    }

    static func run(_ plan: Plan) async throws -> LoadReport {
        // All of the program runs on one loop: two would need locks and take the server's core.
        NIOSingletons.groupLoopCountSuggestion = 1
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let run = String(format: "%08x", UInt32.random(in: 0 ... .max))
        var site = try LoadSite(plan.endpoint, signer: plan.signer, on: loop)
        do {
            try await site.build(run: run, queues: plan.queues)
            let report = try await measure(plan, run, at: site, on: loop)
            LoadProgress.clear()
            try await site.remove()
            return report
        } catch {
            LoadProgress.clear()
            try? await site.remove()
            throw error
        }
    }

    private static func measure(
        _ plan: Plan, _ run: String, at site: LoadSite, on loop: any EventLoop
    ) async throws -> LoadReport {
        let messages = LoadMessages(run: run, size: plan.size)
        var ledger = LoadLedger(messages: plan.backlog + plan.messages, queues: plan.queues)
        let publishers = try await site.connect(publishers)
        var failure: ShopError?
        func phase(_ goal: LoadRun.Goal, _ consumers: [[NIOLoopBound<LoadConnection>]]) async throws {
            let connections = LoadRun.Connections(publishers: publishers, consumers: consumers)
            (ledger, failure) = try await loop.flatSubmit { [ledger] in
                LoadRun(goal, messages, at: site, signer: plan.signer, ledger: ledger, on: loop).start(connections)
            }.get()
        }
        if plan.backlog > 0 {
            try await phase(LoadRun.Goal(messages: 0..<plan.backlog, toReceive: 0, rate: nil), [])
            if let failure { throw failure }
        }
        var consumers: [[NIOLoopBound<LoadConnection>]] = []
        for _ in site.queues { consumers.append(try await site.connect(Self.consumers)) }

        let server = ServerProcess.listening(on: plan.endpoint.port, of: plan.endpoint)
        let before = (time: ContinuousClock.now, server: server?.cpuSeconds, client: clientSeconds())
        let all = plan.backlog..<(plan.backlog + plan.messages)
        try await phase(LoadRun.Goal(messages: all, toReceive: plan.messages, rate: plan.rate), consumers)
        let seconds = (ContinuousClock.now - before.time) / .seconds(1)
        let deliveries = ledger.distinct.reduce(0, +)
        func each(_ cpuSeconds: Double) -> Double { cpuSeconds * 1e6 / Double(max(deliveries, 1)) }
        let spent = server?.cpuSeconds.flatMap { now in before.server.map { each(now - $0) } }
        return LoadReport(
            endpoint: plan.endpoint.authority, messages: plan.messages, messageBytes: plan.size, queues: plan.queues,
            backlog: plan.backlog, rate: plan.rate, seconds: seconds, published: ledger.published - plan.backlog,
            deliveries: deliveries, deliveriesPerSecond: Double(deliveries) / seconds,
            publishMilliseconds: ledger.publishLatency, publishToReceiveMilliseconds: ledger.deliveryLatency,
            serverMicrosecondsPerDelivery: spent, clientMicrosecondsPerDelivery: each(clientSeconds() - before.client),
            serverResidentBytes: server?.residentBytes, duplicates: ledger.duplicates,
            missing: ledger.distinct.reduce(0) { $0 + max(0, plan.messages - $1) }, failure: failure?.description)
    }

    private static func clientSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
