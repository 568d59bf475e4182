import AsyncHTTPClient
import Contracts
import Foundation
import NIOCore

/// What the console's page asks.
struct ConsoleAPI: Sendable {
    let stack: Stack

    struct Report: Decodable {
        struct Timeline: Decodable {
            let correlationId: String?
            let orderId: String?
            let services: [String]
            let spans: [Span]
        }

        struct Span: Decodable {
            let service: String
            let name: String
            let depth: Int
        }

        struct Line: Decodable {
            let service: String
        }

        let timeline: Timeline
        let order: OrderState?
        let logs: [Line]
    }

    struct Letter: Decodable, Sendable {
        let messageId: String
        let eventId: String?
        let reason: String
        let body: String
    }

    private struct Shelves: Decodable {
        struct Shelf: Decodable {
            let queue: String
            let letters: [Letter]
        }
        let queues: [Shelf]
    }

    private struct Orders: Decodable {
        struct Order: Decodable {
            let orderId: String
        }
        let orders: [Order]
    }

    /// `nil` if nobody has heard of it.
    func timeline(_ id: String) async throws -> Report? {
        let answer = try await ShopAPI(stack: stack).send(.get, .console, "/api/timelines/\(id)")
        return answer.status == 404 ? nil : try answer.decode()
    }

    func search(_ text: String) async throws -> [String] {
        let answer = try await ShopAPI(stack: stack).send(.get, .console, "/api/orders?search=\(text)")
        return try answer.decode(Orders.self).orders.map(\.orderId)
    }

    func deadLetters(_ queue: String) async throws -> [Letter] {
        let answer = try await ShopAPI(stack: stack).send(.get, .console, "/api/dead-letters")
        return try answer.decode(Shelves.self).queues.filter { $0.queue == queue }.flatMap(\.letters)
    }

    func redrive(_ queue: String, _ id: String, body: String? = nil) async throws -> ShopAPI.Answer {
        struct Order: Encodable {
            let messageIds: [String]
            let body: String?
        }
        let order = try JSONEncoder().encode(Order(messageIds: [id], body: body))
        return try await stack.send(.console, "/api/dead-letters/\(queue)/redrive", order)
    }

    func send(_ path: String, _ order: [String: String]) async throws -> ShopAPI.Answer {
        try await stack.send(.console, "/api/dead-letters/\(path)", JSONEncoder().encode(order))
    }
}

// MARK: - Live

extension ConsoleAPI {
    /// The services' states as the live feed tells them.
    struct States {
        fileprivate var events: AsyncThrowingStream<[String: String], any Error>

        /// Waits for the first news that match.
        func first(where matches: ([String: String]) -> Bool) async throws {
            for try await states in events where matches(states) { return }
            throw SystemTestError("The console's live feed has ended.")
        }
    }

    private struct Overview: Decodable {
        struct Service: Decodable {
            let name: String
            let status: String
        }
        let services: [Service]
    }

    /// Reads the live feed while `body` runs.
    func watch(_ body: (States) async throws -> Void) async throws {
        let request = HTTPClientRequest(url: stack.url(of: .console) + "/api/live")
        let response = try await stack.http.execute(request, timeout: .seconds(120))
        let (events, news) = AsyncThrowingStream<[String: String], any Error>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var text = ""
                for try await chunk in response.body {
                    text += String(buffer: chunk)
                    while let end = text.range(of: "\n\n") {
                        let event = text[..<end.lowerBound]
                        if let states = try Self.states(in: event) { news.yield(states) }
                        text = String(text[end.upperBound...])
                    }
                }
                news.finish()
            }
            try await body(States(events: events))
            group.cancelAll()
        }
    }

    private static func states(in event: Substring) throws -> [String: String]? {
        let prefix = "event: overview\ndata: "
        guard event.hasPrefix(prefix) else { return nil }
        let overview = try JSONDecoder().decode(Overview.self, from: Data(event.dropFirst(prefix.count).utf8))
        return Dictionary(uniqueKeysWithValues: overview.services.map { ($0.name, $0.status) })
    }
}

extension Stack {
    /// Posts JSON.
    func send(_ program: Program, _ path: String, _ json: Data) async throws -> ShopAPI.Answer {
        try await ShopAPI(stack: self).send(
            .post, program, path, headers: ["content-type": "application/json"], body: json)
    }
}
