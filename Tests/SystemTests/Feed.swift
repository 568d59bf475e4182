import AsyncHTTPClient
import Contracts
import Foundation
import NIOCore
import TestSupport

/// A customer's live feed, as a reader sees it: a strict reader of WHATWG HTML, section 9.2.6.
final class Feed: Sendable {
    struct Event: Equatable, Sendable {
        var id = ""
        var name = ""
        var data = ""
    }

    /// How the answer ended: whole, or cut off.
    enum Ending: Equatable, Sendable { case finished, broken }

    let events = Probe<Event>()
    let heartbeats = Probe<Void>()
    let retries = Probe<String>()
    let ended = Probe<Ending>()

    var ids: [String] { events.values.map(\.id) }

    /// Waits for so many events.
    func kinds(_ count: Int) async -> [String] { await events.first(count).map(\.name) }

    /// Reads a feed while `body` runs, then goes away.
    /// - Parameter pace: awaited before each part of the answer is taken.
    static func read<Value: Sendable>(
        of customer: CustomerID, after id: String? = nil, stack: Stack,
        pace: @escaping @Sendable () async -> Void = {}, _ body: @escaping @Sendable (Feed) async throws -> Value
    ) async throws -> Value {
        let response = try await open(of: customer, after: id, stack: stack)
        guard response.status == .ok else { throw SystemTestError("The stream was answered with \(response.status).") }
        let feed = Feed()
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                await feed.take(response.body, pace: pace)
                return nil
            }
            group.addTask { try await body(feed) }
            defer { group.cancelAll() }
            while let value = try await group.next() {
                if let value { return value }
            }
            throw CancellationError()
        }
    }

    static func open(of customer: CustomerID, after id: String?, stack: Stack) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(
            url: stack.url(of: .notification) + "/customers/\(customer)/notifications/stream")
        if let id { request.headers.add(name: "Last-Event-ID", value: id) }
        return try await stack.http.execute(request, timeout: .minutes(5))
    }

    private func take(_ body: HTTPClientResponse.Body, pace: @Sendable () async -> Void) async {
        var text = ""
        var event = Event()
        do {
            for try await part in body {
                await pace()
                text += String(buffer: part)
                while let end = text.firstIndex(of: "\n") {
                    read(line: String(text[..<end]), into: &event)
                    text = String(text[text.index(after: end)...])
                }
            }
            ended.record(.finished)
        } catch {
            ended.record(.broken)
        }
    }

    private func read(line: String, into event: inout Event) {
        if line.isEmpty {
            if !event.data.isEmpty { events.record(event) }
            event = Event()
            return
        }
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count > 1 ? String(parts[1].trimmingPrefix(" ")) : ""
        switch parts[0] {
        case "": heartbeats.record(())
        case "id": event.id = value
        case "event": event.name = value
        case "data": event.data += (event.data.isEmpty ? "" : "\n") + value
        case "retry": retries.record(value)
        default: break
        }
    }
}
