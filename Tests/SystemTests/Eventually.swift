import Testing

/// Asks again and again, until the answer is there: for what happens in other processes, which can't call back.
/// - Parameters:
///   - what: what is waited for, for the failure's sentence.
///   - limit: generous; it only bounds how long a failure takes.
///   - ask: returns `nil` as long as it isn't so; an error counts as that too, for services may be away.
func eventually<Value>(
    _ what: String, within limit: Duration = .seconds(20), ask: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    var last: (any Error)?
    repeat {
        do {
            if let value = try await ask() { return value }
            last = nil
        } catch {
            last = error
        }
        try await ContinuousClock().sleep(for: .milliseconds(50))
    } while ContinuousClock.now < deadline
    let error = last.map { "; the last error was: \($0)" } ?? ""
    throw SystemTestError("Within \(limit) it didn't come about that \(what)\(error)")
}

/// The same for something that is so or isn't.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), isSo: () async throws -> Bool
) async throws {
    try await eventually(what, within: limit) { try await isSo() ? () : nil }
}
