import Foundation
import NIOCore
import NIOPosix

/// `shop load streams`: what is done, in its order.
struct StreamsLoad {
    let client: ShopClient
    let streams: Int

    /// Connections that are opened at once.
    private static let batch = 100
    /// How long the slowest stream may take.
    private static let patience = TimeAmount.seconds(60)

    func run() async throws -> StreamsReport {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let endpoint = try LoadEndpoint(parsing: client.addresses.url(of: "notification"))
        let server = ServerProcess.listening(on: endpoint.port, of: endpoint)
        let customer = String(format: "load-streams-%08x", UInt32.random(in: 0 ... .max))
        guard let product = try await client.products().max(by: { $0.available < $1.available }) else {
            throw ShopError("There are no products to order; look at inventory's log.")
        }
        let before = server?.residentBytes
        let start = NIODeadline.now()
        var watchers: [NIOLoopBound<StreamWatcher>] = []
        while watchers.count < streams {
            watchers += try await open(min(Self.batch, streams - watchers.count), of: customer, at: endpoint, on: loop)
        }
        let openSeconds = (NIODeadline.now() - start).seconds
        let idle = server?.residentBytes

        let arrivals = loop.flatSubmit { [watchers] in
            EventLoopFuture.whenAllComplete(watchers.map(\.value.firstEvent), on: loop)
        }
        _ = try await client.place(
            ShopClient.NewOrder(
                customer: OrderAnswer.Customer(id: customer, email: "\(customer)@example.com"),
                items: [OrderAnswer.Item(sku: product.sku, quantity: 1)], paymentMethod: "pm_silent"),
            key: customer)
        let accepted = NIODeadline.now()
        let timeout = loop.scheduleTask(in: Self.patience) { [watchers] in
            for watcher in watchers { watcher.value.close() }
        }
        let times = try await arrivals.get().compactMap { try? $0.get() }
        timeout.cancel()
        let after = server?.residentBytes
        try await loop.submit { [watchers] in for watcher in watchers { watcher.value.close() } }.get()
        return StreamsReport(
            streams: streams, openSeconds: openSeconds, residentBytesBefore: before, residentBytesWithStreams: idle,
            residentBytesAfterPush: after, reached: times.count,
            acceptedToReceivedMilliseconds: times.map { ($0 - accepted).seconds * 1000 }.sorted())
    }

    private func open(
        _ count: Int, of customer: String, at endpoint: LoadEndpoint, on loop: any EventLoop
    ) async throws -> [NIOLoopBound<StreamWatcher>] {
        let request = ByteBuffer(
            string: "GET /customers/\(customer)/notifications/stream HTTP/1.1\r\nHost: \(endpoint.authority)\r\n\r\n")
        do {
            return try await withThrowingTaskGroup(of: NIOLoopBound<StreamWatcher>.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        let channel = try await ClientBootstrap(group: loop).channelInitializer { channel in
                            channel.eventLoop.makeCompletedFuture {
                                try channel.pipeline.syncOperations.addHandler(StreamWatcher(request, on: loop))
                            }
                        }.connect(host: endpoint.host, port: endpoint.port).get()
                        let watcher = try await loop.submit {
                            NIOLoopBound(
                                try channel.pipeline.syncOperations.handler(type: StreamWatcher.self), eventLoop: loop)
                        }.get()
                        try await loop.flatSubmit { watcher.value.opened }.get()
                        return watcher
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        } catch let error as ShopError {
            throw error
        } catch {
            throw ShopError("notification at \(endpoint.authority) didn't take \(streams) connections: \(error)")
        }
    }
}

/// What a run of `shop load streams` came to.
struct StreamsReport: Encodable, Sendable {
    let streams: Int
    let openSeconds: Double
    /// `nil` when notification isn't a process of this machine that can be seen.
    let residentBytesBefore: Int?
    let residentBytesWithStreams: Int?
    let residentBytesAfterPush: Int?
    /// On how many the event came.
    let reached: Int
    /// For each of those, the quickest first.
    let acceptedToReceivedMilliseconds: [Double]

    var isRight: Bool { reached == streams }

    private enum CodingKeys: String, CodingKey {
        case streams, openSeconds, residentBytesBefore, residentBytesWithStreams, residentBytesAfterPush, reached
        case firstMilliseconds, medianMilliseconds, lastMilliseconds
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(streams, forKey: .streams)
        try container.encode(openSeconds, forKey: .openSeconds)
        try container.encodeIfPresent(residentBytesBefore, forKey: .residentBytesBefore)
        try container.encodeIfPresent(residentBytesWithStreams, forKey: .residentBytesWithStreams)
        try container.encodeIfPresent(residentBytesAfterPush, forKey: .residentBytesAfterPush)
        try container.encode(reached, forKey: .reached)
        try container.encodeIfPresent(acceptedToReceivedMilliseconds.first, forKey: .firstMilliseconds)
        try container.encodeIfPresent(median, forKey: .medianMilliseconds)
        try container.encodeIfPresent(acceptedToReceivedMilliseconds.last, forKey: .lastMilliseconds)
    }

    private var median: Double? {
        let times = acceptedToReceivedMilliseconds
        return times.isEmpty ? nil : times[times.count / 2]
    }

    var lines: [String] {
        var lines = [String(format: "%d streams opened in %.2f s", streams, openSeconds)]
        if let before = residentBytesBefore, let idle = residentBytesWithStreams, let after = residentBytesAfterPush {
            lines.append(
                String(
                    format: "notification's resident memory: %.1f MB before, %.1f MB with them (%.1f KiB each), "
                        + "%.1f MB after the event",
                    Double(before) / 1e6, Double(idle) / 1e6, Double(idle - before) / 1024 / Double(streams),
                    Double(after) / 1e6))
        } else {
            lines.append("notification's memory: unknown, for no process that can be seen here listens on its port")
        }
        if let first = acceptedToReceivedMilliseconds.first, let last = acceptedToReceivedMilliseconds.last, let median
        {
            lines.append(
                String(
                    format: "one event, from the order's 202: first stream %.1f ms, median %.1f ms, last %.1f ms "
                        + "(%.1f ms from the first to the last)",
                    first, median, last, last - first))
        }
        lines.append(
            isRight ? "The event came on each stream." : "WRONG: it came on \(reached) of \(streams) streams only.")
        return lines
    }
}

extension TimeAmount {
    fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
