import Dispatch

/// Hands mails over to whatever takes them to the customer.
protocol MailTransport: Sendable {
    /// What `/health/ready` calls it.
    var name: String { get }

    /// Hands a mail over. A second time with the same message makes no second mail where the other side can tell, and
    /// one with the same `Message-ID` where it can't.
    /// - Returns: what has come of it, for good.
    /// - Throws: if it isn't known, or if another attempt may succeed.
    func deliver(_ message: MailMessage) async throws -> DeliveryOutcome
}

extension DispatchQueue {
    /// Runs what blocks its thread. Swift has only as many threads for its tasks as there are cores, and one that waits
    /// for a disk or a mail server would be missing to everything else.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            self.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
