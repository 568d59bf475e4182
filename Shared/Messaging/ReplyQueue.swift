import Contracts
import Foundation
import Logging
import ServiceLifecycle

/// Keeps the queue of one process's replies as long as the process lives.
///
/// Each life of a process has a queue of its own: with one for all replicas, each would get the others' replies, and
/// SQS can't select. A process that is stopped removes its queue. One that is killed can't; so each says once in a
/// while that its queue is in use, and removes those of whom nobody has said so for a lease. What came into them has
/// been dropped by the broker long before, after the minute for which it keeps a reply.
struct ReplyQueue<WaitClock: Clock<Duration>>: Sendable {
    let queue: Queue
    /// How the names of all replicas' reply queues begin.
    let prefix: String
    let link: BrokerLink
    let logger: Logger
    let clock: WaitClock

    /// Renews the lease until shutdown.
    func keep() async {
        await cancelWhenGracefulShutdown {
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await link.use { try await $0.renew(queue, until: Date(timeIntervalSinceNow: lease.inSeconds)) }
                    try await removeAbandoned()
                    failures = 0
                    try await clock.sleep(for: lease / 5)
                } catch {
                    guard !Task.isCancelled else { return }
                    failures += 1
                    let backoff = RetryPolicy(base: .milliseconds(200), longest: .seconds(5))
                    try? await clock.sleep(for: backoff.delay(attempt: failures))
                }
            }
        }
    }

    private func removeAbandoned() async throws {
        let leases = try await link.use { try await $0.leases(prefix: prefix) }
        for (abandoned, end) in leases where end < Date() && abandoned != queue {
            try await link.use { try await $0.remove(abandoned) }
            logger.info("removed the reply queue of a process that is gone", metadata: ["queue": "\(abandoned)"])
        }
    }

    /// Removes the queue; the process is being stopped.
    func remove() async {
        do {
            try await link.use { try await $0.remove(queue) }
        } catch {
            logger.info(
                "the reply queue couldn't be removed; another process will, when its lease is over",
                metadata: ["queue": "\(queue)", "error": "\(error)"])
        }
    }

    private var lease: Duration { ReplyQueueLease.length }
}

/// How long a reply queue is taken for in use after its process has said so.
enum ReplyQueueLease {
    static let length = Duration.seconds(600)
}
