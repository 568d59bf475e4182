import Foundation
import TestSupport
import Testing

/// What the clients that people use make of the broker: boto3, the `aws` command, Celery and Dramatiq, and raw sockets
/// for what no client would send; what schemathesis makes of all services; and what Amazon's and Kubernetes' own schemas say
/// of the files in `deploy`. The tests are in Python, where these are; each file gets processes of its own.
@Suite("Clients from elsewhere") struct ConformanceTests {
    @Test("A file of tests", arguments: PythonTests.files) func file(name: String) async throws {
        let outcomes = try await withTemporaryFolder { folder in
            try await PythonTests.run(name, report: folder.appending(path: "report"))
        }
        #expect(!outcomes.isEmpty, "no test ran in \(name)")
        for outcome in outcomes {
            switch outcome.outcome {
            case .passed: print("✔ \(outcome.test) (\(outcome.seconds.formatted()) s)")
            // What this machine can't run is no fault of what is tested.
            case .skipped: print("– \(outcome.test) \(outcome.text)")
            case .failed: Issue.record("\(outcome.test)\n\(outcome.text)")
            }
        }
    }
}
