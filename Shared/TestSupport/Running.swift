import Logging
import ServiceLifecycle

extension Logger {
    /// Says nothing.
    public static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
}

/// Runs a service while `body` runs, then shuts it down gracefully and waits until it has ended.
@discardableResult
public func withRunning<Value: Sendable>(
    _ service: some Service, _ body: (ServiceGroup) async throws -> Value
) async throws -> Value {
    let group = ServiceGroup(services: [service], logger: .silent)
    async let run: Void = group.run()
    let result: Result<Value, any Error>
    do { result = .success(try await body(group)) } catch { result = .failure(error) }
    await group.triggerGracefulShutdown()
    try await run
    return try result.get()
}
