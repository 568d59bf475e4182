import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import ServiceKit
import ServiceLifecycle
import Testing

@Suite("Long polls")
struct LongPollTests {
    /// A handler that waits for ever, and says when it begins and how it ends.
    private struct Waiting: Sendable {
        enum Event: Equatable { case began, cancelled }

        let events: AsyncStream<Event>
        private let sink: AsyncStream<Event>.Continuation

        init() {
            (self.events, self.sink) = AsyncStream.makeStream()
        }

        func addRoutes(to router: Router<ShopRequestContext>) {
            router.get("wait") { [sink] _, context in
                try await context.cancelWhenAbandoned {
                    sink.yield(.began)
                    let (never, _) = AsyncStream<Never>.makeStream()
                    for await _ in never {}
                    sink.yield(.cancelled)
                    try Task.checkCancellation()
                    return "ended"
                }
            }
            router.get("quick") { _, context in try await context.cancelWhenAbandoned { "quick" } }
            router.get("early") { [sink] _, context in
                try await context.cancelWhenAbandoned {
                    sink.yield(.began)
                    let (never, _) = AsyncStream<Never>.makeStream()
                    for await _ in never {}
                    return "what there was"
                }
            }
        }
    }

    @Test("a handler is cancelled when its client goes away", arguments: [CloseMode.all, .output])
    func disconnect(mode: CloseMode) async throws {
        let waiting = Waiting()
        try await Fixture().test(.live, routes: waiting.addRoutes) { client in
            let port = try #require(client.port)
            var events = waiting.events.makeAsyncIterator()
            let impatient = TestClient(host: "localhost", port: port)
            impatient.connect()
            try await impatient.executeAndDontWaitForResponse(
                .init("/wait", method: .get, authority: "localhost", headers: [:], body: nil))
            #expect(await events.next() == .began)
            try await impatient.getChannel().close(mode: mode)
            #expect(await events.next() == .cancelled)
        }
    }

    @Test("the connection stays good for the next request")
    func keepAlive() async throws {
        try await Fixture().test(.live, routes: Waiting().addRoutes) { client in
            for _ in 0..<5 {
                let response = try await client.execute(uri: "/quick", method: .get)
                #expect(String(buffer: response.body) == "quick")
            }
        }
    }

    @Test("works without a server too")
    func router() async throws {
        try await Fixture().test(.router, routes: Waiting().addRoutes) { client in
            let response = try await client.execute(uri: "/quick", method: .get)
            #expect(String(buffer: response.body) == "quick")
        }
    }

    @Test("shutdown ends waiting handlers at once, with an answer", arguments: [("/wait", 503), ("/early", 200)])
    func shutdown(path: String, status: Int) async throws {
        let waiting = Waiting()
        let router = try Fixture().chassis.router()
        waiting.addRoutes(to: router)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = Assembly(router: router).application(
            configuration: .init(address: .hostname("localhost", port: 0))
        ) { channel in
            port.yield(channel.localAddress?.port ?? 0)
        }
        let group = ServiceGroup(configuration: .init(services: [server], logger: Logger(label: "test")))
        async let running: Void = group.run()
        let listening = try #require(await ports.first { _ in true })
        try await TestClient.withClient(host: "localhost", port: listening) { client in
            async let response = client.execute(
                .init(path, method: .get, authority: "localhost", headers: [:], body: nil))
            #expect(await waiting.events.first { _ in true } == .began)
            await group.triggerGracefulShutdown()
            let answer = try await response
            #expect(answer.status.code == status)
        }
        try await running
    }
}
