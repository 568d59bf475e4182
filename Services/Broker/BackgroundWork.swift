import Logging
import ServiceLifecycle

/// Runs what the queues have to do on disk besides answering a request: reading the next page, and saving messages that
/// became visible again, moved to a dead-letter queue or expired.
struct BackgroundWork: Service {
    typealias Job = @Sendable () async -> Void

    private let jobs: AsyncStream<Job>
    private let submitted: AsyncStream<Job>.Continuation

    init() { (jobs, submitted) = AsyncStream.makeStream() }

    func submit(_ job: @escaping Job) { submitted.yield(job) }

    /// What is cut off by the shutdown is done again after the next start: until it is saved it has not happened.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await job in jobs.cancelOnGracefulShutdown() { group.addTask { await job() } }
        }
    }
}
