public import Logging
import Synchronization

/// Whether the service can do its work, as `/health/ready` tells it: one check for each thing that it needs.
///
/// A check is there from the first time it is set. A change of a check is one line in the log.
public final class Readiness: Sendable {
    /// What is known of one dependency.
    public struct Check: Hashable, Sendable, Encodable {
        /// Whether it can be used.
        public var ready: Bool
        /// What is the matter, in words.
        public var detail: String
        /// Whether the service can't do its work without it.
        public var required: Bool
    }

    /// What `/health/ready` answers.
    public struct Report: Hashable, Sendable, Encodable {
        /// `ready`; `degraded` when only something that isn't required is missing; `starting` until everything required
        /// was there for the first time, `unavailable` after that.
        public var status: String
        /// All checks by name.
        public var checks: [String: Check]
        /// Whether requests should come here.
        var isReady: Bool { self.status == "ready" || self.status == "degraded" }
    }

    private struct State {
        var checks: [String: Check] = [:]
        var wasReady = false
    }

    private let state = Mutex(State())
    private let logger: Logger

    /// Ready as long as no check says otherwise.
    public init(logger: Logger) {
        self.logger = logger
    }

    /// Says how one dependency is.
    ///
    /// - Parameters:
    ///   - check: its name: `broker`, `database`.
    ///   - ready: whether it can be used.
    ///   - detail: one sentence: what is the matter.
    ///   - required: false for what the service can do without for a while. Then its absence is told, but requests
    ///     keep coming.
    public func set(_ check: String, ready: Bool, detail: String = "", required: Bool = true) {
        let new = Check(ready: ready, detail: detail, required: required)
        let old = self.state.withLock { $0.checks.updateValue(new, forKey: check) }
        guard old?.ready != ready else { return }
        self.logger.log(
            level: ready ? .info : .warning, ready ? "\(check) is ready." : "\(check) isn't ready.",
            metadata: ["check": .string(check), "detail": .string(detail)])
    }

    /// What somebody is given who knows how one dependency is; see ``set(_:ready:detail:required:)``.
    public func reporter(of check: String, required: Bool = true) -> @Sendable (_ ready: Bool, _ detail: String) -> Void
    {
        { self.set(check, ready: $0, detail: $1, required: required) }
    }

    /// Everything that is known now.
    public var report: Report {
        self.state.withLock { state in
            let missing = state.checks.values.filter { !$0.ready }
            let isReady = !missing.contains { $0.required }
            if isReady { state.wasReady = true }
            let status =
                if isReady { missing.isEmpty ? "ready" : "degraded" } else {
                    state.wasReady ? "unavailable" : "starting"
                }
            return Report(status: status, checks: state.checks)
        }
    }
}
