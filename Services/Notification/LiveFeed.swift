import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import ServiceKit

/// A list as it grows: the lines after the one that the reader has seen last, then each new one as soon as it is on disk.
///
/// A reader is a position in the list and nothing else. Woken by a commit, it reads on in the database from there, so that
/// it costs no memory to be slow, and it makes no difference whether it was connected all the time, was cut off, or
/// outlived the service. Who reads along costs the database nothing as long as nothing happens.
struct LiveFeed: Sendable {
    let store: NotificationStore
    /// How long nothing may happen without a sign of life.
    let heartbeat: Duration

    /// How many lines are in memory for a reader at once.
    private static let pageSize = 16

    func open(_ recipient: Recipient, _ request: Request, _ context: ShopRequestContext) async throws -> Response {
        let last = request.headers[.lastEventID].flatMap { $0.isEmpty ? nil : $0 }
        guard let start = try await store.position(of: last ?? request.queryParameter("cursor"), in: recipient) else {
            throw Problem.unknownCursor(field: last == nil ? "cursor" : "Last-Event-ID")
        }
        return context.eventStream(heartbeat: heartbeat) { stream in
            // The list is watched before it is looked at, so that no line falls in between.
            try await store.changes.withObserver(of: recipient, stream.waker.wake) {
                try await follow(recipient, from: start, on: stream)
            }
        }
    }

    private func follow(_ recipient: Recipient, from start: Int64, on stream: EventStream) async throws {
        var position = start
        while !stream.isOver {
            let entries = try await store.entries(of: recipient, after: position, limit: Self.pageSize)
            if !entries.isEmpty { try await stream.send(try entries.map { try ServerSentEvent($0.notice) }) }
            position = entries.last?.position ?? position
            if entries.count < Self.pageSize { try await stream.waitUntilWoken() }
        }
    }
}

extension ServerSentEvent {
    /// The id is the line's, which the database knows again.
    fileprivate init(_ notice: Notice) throws {
        let data = try ShopJSON.encoder().encode(NotificationView(notice))
        self.init(id: notice.id, name: notice.kind.rawValue, data: String(decoding: data, as: UTF8.self))
    }
}

extension HTTPField.Name {
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID")!
}
