import Contracts
import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Looks at all services every second, as long as somebody watches, and tells those who do. A service that was stopped
/// is seen at the next look.
struct Lookout<WaitClock: Clock<Duration>>: Service {
    private let services: ShopServices
    private let orders: OrderSearch
    private let names: [String]
    private let watchers = Watchers()
    private let clock: WaitClock

    /// Between two looks; with `patience` that is how late a stop is seen at most.
    private let pause = Duration.milliseconds(900)
    private let patience = Duration.milliseconds(800)

    init(services: ShopServices, orders: OrderSearch, names: [String], clock: WaitClock = ContinuousClock()) {
        self.services = services
        self.orders = orders
        self.names = names
        self.clock = clock
    }

    /// What watchers hear.
    struct News: Sendable {
        var overview: Overview
        /// The latest orders, when they have changed since the look before.
        var orders: [JSONValue]?
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in watchers.arrivals {
                var before: [String: Overview.Look] = [:]
                var page: OrderSearch.Result?
                while watchers.isAnybodyThere, !Task.isCancelled {
                    let looks = await look()
                    // Orders are asked for only when something was asked of their service, or sent to it, since.
                    if page == nil || looks["order"]?.activity != before["order"]?.activity {
                        page = try? await orders.list()
                    }
                    watchers.tell(News(overview: overview(looks, before: before), orders: page?.orders))
                    before = looks
                    try? await clock.sleep(for: pause)
                }
                if Task.isCancelled { return }
            }
        }
    }

    /// One look for one who doesn't watch. Without a look before there are no rates.
    func overview() async -> Overview { overview(await look(), before: [:]) }

    /// News from now on, until the sequence is let go.
    func watch() -> AsyncStream<News> { watchers.add() }

    private func overview(_ looks: [String: Overview.Look], before: [String: Overview.Look]) -> Overview {
        Overview(looks, before: before, order: names, topology: .shop, at: Date())
    }

    private func look() async -> [String: Overview.Look] {
        await withTaskGroup(of: (String, Overview.Look).self) { group in
            for name in names { group.addTask { (name, await look(at: name)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private func look(at name: String) async -> Overview.Look {
        async let health = try? services.send(to: name, "/health/ready", timeout: patience)
        async let metrics = try? services.send(to: name, "/metrics", timeout: patience)
        let readiness = await health.flatMap { try? $0.decode(Overview.Readiness.self) }
        let scrape = await metrics.map { Scrape(String(buffer: $0.body)) }
        return Overview.Look(readiness: readiness, scrape: scrape, at: .now)
    }
}

extension Lookout {
    /// Those who watch. A slow one misses news rather than having them pile up.
    private final class Watchers: Sendable {
        private struct State {
            var streams: [Int: AsyncStream<News>.Continuation] = [:]
            var last = 0
        }

        private let state = Mutex(State())
        private let arrival: AsyncStream<Void>.Continuation
        /// An element when somebody comes after nobody was there.
        let arrivals: AsyncStream<Void>

        init() {
            (arrivals, arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }

        var isAnybodyThere: Bool { state.withLock { !$0.streams.isEmpty } }

        func add() -> AsyncStream<News> {
            let (stream, continuation) = AsyncStream<News>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let id = state.withLock { state in
                state.last += 1
                state.streams[state.last] = continuation
                return state.last
            }
            continuation.onTermination = { [weak self] _ in
                self?.state.withLock { _ = $0.streams.removeValue(forKey: id) }
            }
            arrival.yield()
            return stream
        }

        func tell(_ news: News) {
            let streams = state.withLock { Array($0.streams.values) }
            for stream in streams { stream.yield(news) }
        }
    }
}
