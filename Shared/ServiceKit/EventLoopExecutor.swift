import NIOCore

/// Runs tasks on an event loop, so that a request is worked on by the thread that read it: for a service that does
/// little work for each of very many requests, handing them from thread to thread and back would be most of it.
final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
