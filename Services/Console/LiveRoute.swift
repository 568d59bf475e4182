import Foundation
import Hummingbird
import NIOCore
import ServiceKit
import ServiceLifecycle

/// `GET /api/live`: server-sent events (HTML Standard, "Server-sent events") with the overview about every second, the
/// latest orders when they change, and, with `?timeline=ID`, a word whenever that timeline has more to show.
struct LiveRoute: Sendable {
    let lookout: Lookout<ContinuousClock>
    let timelines: TimelineDesk

    func add(to router: Router<ShopRequestContext>) {
        router.get("/api/live") { request, _ in
            let subject = request.queryParameter("timeline")
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
                body: .init { writer in
                    try await write(to: &writer, subject: subject)
                    try await writer.finish(nil)
                })
        }
    }

    /// Returns at shutdown; throws when the reader has gone. There is news every second, so neither stays unnoticed.
    private func write(to writer: inout any ResponseBodyWriter, subject: String?) async throws {
        var orders: [JSONValue]?
        var version: String?
        // The reader hears at once that the connection stands, and when to come back should it break.
        try await writer.write(ByteBuffer(string: "retry: 1000\n\n"))
        for await news in lookout.watch() {
            try await writer.write(Self.event("overview", news.overview))
            if let latest = news.orders, latest != orders {
                orders = latest
                try await writer.write(Self.event("orders", ["orders": latest]))
            }
            if let subject, let new = try? await timelines.version(of: subject), new != version {
                version = new
                try await writer.write(Self.event("timeline", ["id": subject, "version": new]))
            }
            if Task.isShuttingDownGracefully || Task.isCancelled { return }
        }
    }

    private static func event(_ name: String, _ value: some Encodable) throws -> ByteBuffer {
        let data = String(decoding: try ShopJSON.encoder().encode(value), as: UTF8.self)
        return ByteBuffer(string: "event: \(name)\ndata: \(data)\n\n")
    }
}
