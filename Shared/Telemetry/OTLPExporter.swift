import AsyncHTTPClient
import Foundation
public import Logging
import Metrics
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Sends spans to an OpenTelemetry receiver by OTLP/HTTP with Protocol Buffers.
///
/// A request only ever puts a span into a bounded buffer. This service sends them in batches, and tries again with
/// backoff while the receiver is away; spans that find the buffer full meanwhile are dropped and counted in
/// `otlp_spans_dropped_total`. At graceful shutdown it gets two seconds for what is left.
///
/// Put it first in the service group, so that it stops last and sees the spans of all others.
public final class OTLPExporter: Service, SpanSink {
    /// What came of sending a batch.
    enum Answer: Sendable {
        case accepted
        /// The receiver will never take this batch.
        case rejected(String)
        /// The receiver is away or overloaded; worth another try.
        case unavailable(String)
    }

    typealias Send = @Sendable ([UInt8]) async -> Answer

    struct Timing: Sendable {
        /// How long the first span waits for company: a small batch costs the receiver nearly as much as a large one. At
        /// this and 4,096 spans it takes 8,000 a second to overflow.
        var linger = Duration.milliseconds(500)
        /// How long graceful shutdown may take.
        var flush = Duration.seconds(2)
        /// How long to wait before the second attempt; it doubles each time up to `longestPause`.
        var firstPause = Duration.seconds(1)
        var longestPause = Duration.seconds(30)
    }

    private static let batchSize = 512

    private let timing: Timing
    private let buffer: SpanBuffer
    private let encoding: OTLPEncoding
    private let send: Send
    private let endpoint: String
    private let logger: Logger
    private let exported: Counter
    private let overflowed: Counter
    private let undelivered: Counter
    private let rejected: Counter
    private let close: @Sendable () async -> Void
    private let isReceiverAway = Mutex(false)

    /// - Parameters:
    ///   - endpoint: the receiver's base URL; `/v1/traces` is appended, as OTEL_EXPORTER_OTLP_ENDPOINT wants it.
    ///   - service: the resource's `service.name`.
    ///   - metrics: where its own counters are.
    ///   - capacity: how many spans it holds at most.
    public convenience init(
        endpoint: String, service: String, metrics: PrometheusRegistry, logger: Logger, capacity: Int = 4096
    ) {
        // Tracing is off in this client: each export would else be a span, and be exported.
        var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(2), read: .seconds(5)))
        configuration.tracing.tracer = nil
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
        // The client would else try to connect again and again until the timeout, and hide that nobody is there.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let url = (endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint) + "/v1/traces"
        self.init(
            endpoint: endpoint, service: service, metrics: metrics, logger: logger, capacity: capacity,
            send: { await client.post($0, to: url) },
            close: { try? await client.shutdown() })
    }

    init(
        endpoint: String, service: String, metrics: PrometheusRegistry, logger: Logger, capacity: Int,
        timing: Timing = Timing(), send: @escaping Send, close: @escaping @Sendable () async -> Void
    ) {
        self.buffer = SpanBuffer(capacity: capacity)
        self.encoding = OTLPEncoding(resource: [
            ("service.name", service),
            ("service.instance.id", UUID().uuidString.lowercased()),
            ("process.pid", String(ProcessInfo.processInfo.processIdentifier)),
            ("telemetry.sdk.language", "swift"),
        ])
        self.timing = timing
        self.send = send
        self.close = close
        self.endpoint = endpoint
        self.logger = logger
        let dropped = { Counter(label: "otlp.spans.dropped", dimensions: [("reason", $0)], factory: metrics) }
        self.exported = Counter(label: "otlp.spans.exported", factory: metrics)
        self.overflowed = dropped("buffer_full")
        self.undelivered = dropped("receiver_away_at_shutdown")
        self.rejected = dropped("rejected")
    }

    public func record(_ span: FinishedSpan) {
        if !self.buffer.append(span) { self.overflowed.increment() }
    }

    public func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.exportUntilClosed() }
            group.addTask {
                // When the task is cancelled instead, this ends at once and takes the export with it.
                guard (try? await gracefulShutdown()) != nil else { return }
                self.buffer.close()
                try? await Task.sleep(for: self.timing.flush)
            }
            await group.next()
            group.cancelAll()
        }
        self.undelivered.increment(by: self.buffer.take(.max).count)
        await self.close()
    }

    private func exportUntilClosed() async {
        for await _ in self.buffer.filled {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: self.timing.linger) }
            await self.drain()
        }
        await self.drain()
    }

    private func drain() async {
        while !Task.isCancelled {
            let batch = self.buffer.take(Self.batchSize)
            guard !batch.isEmpty else { return }
            await self.deliver(batch)
        }
    }

    private func deliver(_ batch: [FinishedSpan]) async {
        let body = self.encoding.request(batch)
        var pause = self.timing.firstPause
        while true {
            switch await self.send(body) {
            case .accepted:
                self.exported.increment(by: batch.count)
                self.note(isAway: false, reason: "")
                return
            case .rejected(let reason):
                self.rejected.increment(by: batch.count)
                self.logger.error("The trace receiver refused spans.", metadata: ["reason": .string(reason)])
                return
            case .unavailable(let reason):
                guard !self.buffer.isClosed, !Task.isCancelled else {
                    self.undelivered.increment(by: batch.count)
                    return
                }
                self.note(isAway: true, reason: reason)
                let wait = pause
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: wait) }
                pause = min(pause * 2, self.timing.longestPause)
            }
        }
    }

    /// Says a change once: a receiver that is away for a day is one line, not one for every try.
    private func note(isAway: Bool, reason: String) {
        let wasAway = self.isReceiverAway.withLock { state in
            defer { state = isAway }
            return state
        }
        guard wasAway != isAway else { return }
        if isAway {
            self.logger.warning(
                "The trace receiver doesn't answer; spans are kept until the buffer is full, then dropped.",
                metadata: ["endpoint": .string(self.endpoint), "reason": .string(reason)])
        } else {
            self.logger.info("The trace receiver answers again.", metadata: ["endpoint": .string(self.endpoint)])
        }
    }
}

extension HTTPClient {
    /// By the OTLP specification's "Failures": 429, 502, 503 and 504 may be tried again, other errors may not.
    fileprivate func post(_ body: [UInt8], to url: String) async -> OTLPExporter.Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-protobuf")
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await self.execute(request, timeout: .seconds(5))
            _ = try? await response.body.collect(upTo: 64 * 1024)
            switch response.status.code {
            case 200..<300: return .accepted
            case 429, 502, 503, 504: return .unavailable("status \(response.status.code)")
            default: return .rejected("status \(response.status.code)")
            }
        } catch {
            return .unavailable(String(describing: error))
        }
    }
}
