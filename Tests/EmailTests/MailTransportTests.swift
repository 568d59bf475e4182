import Contracts
import Foundation
import ServiceKit
import TestSupport
import Testing

@testable import Email

/// A transport with a way to look at what has arrived behind it.
struct Mailbox: Sendable {
    let transport: any MailTransport
    /// The mails by their `Message-ID`, which is how a reader tells two mails apart. Waits until there are `count`.
    let mails: @Sendable (_ count: Int) async throws -> [String: Data]
}

/// The implementations of ``MailTransport``.
enum Transport: String, CaseIterable, Sendable {
    case maildir, smtp

    func run(_ body: (Mailbox) async throws -> Void) async throws {
        switch self {
        case .maildir:
            try await withTemporaryFolder { folder in
                let mailbox = Mailbox(transport: try Maildir(path: folder.path)) { _ in
                    let new = folder.appending(path: "new")
                    let mails = try files(in: new).map { ($0, try Data(contentsOf: new.appending(path: $0))) }
                    return Dictionary(
                        uniqueKeysWithValues: mails.map { ("<\($0.dropLast(".async-shop".count))@async-shop>", $1) })
                }
                try await body(mailbox)
            }
        case .smtp:
            try await MailServer.run { server in
                let settings = try SMTPServer(url: "smtp://127.0.0.1:\(server.address.port)")
                let mailbox = Mailbox(transport: SMTP(server: settings)) { count in
                    await server.mails.first(count)
                    let mails = server.mails.values.map { ($0.messageID, $0.content) }
                    // Were they not the same, this would show the second.
                    return Dictionary(mails) { $1 }
                }
                try await body(mailbox)
            }
        }
    }
}

@Suite("Every mail transport", .timeLimit(.minutes(2))) struct MailTransportTests {
    @Test("A mail arrives as it is, byte by byte", arguments: Transport.allCases) func arrives(at transport: Transport)
        async throws
    {
        try await transport.run { mailbox in
            let message = try MailMessage.sample(
                subject: "Größe: 3 × ☕",
                text: "Hello,\n.\n..\n. a dot\n\nFrom me\n\(String(repeating: "é", count: 9000))\n")
            #expect(try await mailbox.transport.deliver(message) == .delivered)
            #expect(try await mailbox.mails(1) == ["<event-1@async-shop>": Data(message.bytes)])
        }
    }

    @Test("A mail that is delivered again is the same mail", arguments: Transport.allCases)
    func twice(at transport: Transport) async throws {
        try await transport.run { mailbox in
            let message = try MailMessage.sample()
            #expect(try await mailbox.transport.deliver(message) == .delivered)
            #expect(try await mailbox.transport.deliver(message) == .delivered)
            #expect(
                try await mailbox.mails(transport == .smtp ? 2 : 1) == ["<event-1@async-shop>": Data(message.bytes)])
        }
    }

    @Test("Several at once all arrive", arguments: Transport.allCases) func several(at transport: Transport)
        async throws
    {
        try await transport.run { mailbox in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<10 {
                    let message = try MailMessage.sample(id: MailID(rawValue: "event-\(number)@async-shop"))
                    group.addTask { _ = try await mailbox.transport.deliver(message) }
                }
                try await group.waitForAll()
            }
            #expect(try await mailbox.mails(10).count == 10)
        }
    }
}
