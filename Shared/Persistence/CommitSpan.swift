import Tracing

/// Gives a commit its span, by OpenTelemetry's conventions for databases. Work that belongs to no trace, such as tidying
/// up, needs none.
func withCommitSpan<Value>(
    system: String, namespace: String, _ commit: () async throws -> Value
) async throws -> Value {
    guard ServiceContext.current != nil else { return try await commit() }
    return try await withSpan("COMMIT", ofKind: .client) { span in
        span.updateAttributes {
            $0["db.system.name"] = system
            $0["db.operation.name"] = "COMMIT"
            $0["db.namespace"] = namespace
        }
        return try await commit()
    }
}
