import Foundation

/// Runs the processes of a stack until it is told to stop: starts them, says when all are ready, and stops them
/// in order.
struct Supervisor: Sendable {
    private enum Event: Sendable {
        case ended(String, (any Error)?)
        case announced((any Error)?)
        case asked
        case listened
    }

    let processes: [ServiceProcess]
    /// The services that are stopped last, because the others need them to finish what they have in hand.
    let foundation: Set<String>
    let output: Output
    /// Yields whenever the user asks for an end, until it is cancelled.
    let listen: @Sendable (AsyncStream<Void>.Continuation) async -> Void
    /// Waits until all is ready and says so.
    let announce: @Sendable () async throws -> Void

    /// Returns once all is stopped because the user asked; asking twice stops all at once. Throws the first error that stopped the stack.
    func run() async throws {
        let (asked, askedContinuation) = AsyncStream.makeStream(of: Void.self)
        let nextAsked: @Sendable () async -> Event = {
            for await _ in asked { break }
            return .asked
        }
        let failure = await withTaskGroup(of: Event.self) { group in
            for process in processes {
                group.addTask { await .ended(process.name, outcome { try await process.run() }) }
            }
            let stopped = StopSignal()
            group.addTask {
                await .announced(outcome { _ = try await stopped.unlessRaised(announce) })
            }
            group.addTask {
                await listen(askedContinuation)
                return .listened
            }
            group.addTask(operation: nextAsked)
            var failure: (any Error)?
            var running = Set(processes.map(\.name))
            for await event in group {
                switch event {
                case .ended(let name, let error):
                    running.remove(name)
                    failure = failure ?? error
                case .announced(let error):
                    failure = failure ?? error
                    guard error != nil else { continue }
                case .asked:
                    // Standard output may be gone, which is no reason not to stop in order.
                    try? output.say(stopped.isRaised ? "Stopping at once." : "Stopping.")
                    guard !stopped.isRaised else {
                        group.cancelAll()
                        continue
                    }
                    group.addTask(operation: nextAsked)
                case .listened:
                    continue
                }
                stopped.raise()
                stop(running)
                guard !running.isEmpty else {
                    group.cancelAll()
                    break
                }
            }
            return failure
        }
        if let failure { throw failure }
    }

    /// Tells those that run to stop, the foundation only when it is alone.
    private func stop(_ running: Set<String>) {
        let others = running.subtracting(foundation)
        for process in processes where (others.isEmpty ? running : others).contains(process.name) {
            process.stop.raise()
        }
    }

    private func outcome(_ body: () async throws -> Void) async -> (any Error)? {
        do {
            try await body()
            return nil
        } catch {
            return error
        }
    }
}
