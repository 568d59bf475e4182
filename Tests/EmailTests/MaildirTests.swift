import Contracts
import Foundation
import TestSupport
import Testing

@testable import Email

@Suite("Maildir") struct MaildirTests {
    @Test("A mail is a file in new, named after its event, and only its owner can read it") func delivers() async throws
    {
        try await withTemporaryFolder { folder in
            let message = try MailMessage.sample()
            let outcome = try await Maildir(path: folder.appending(path: "a/maildir").path).deliver(message)
            #expect(outcome == .delivered)
            let file = folder.appending(path: "a/maildir/new/event-1.async-shop")
            #expect(try Data(contentsOf: file) == Data(message.bytes))
            let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try files(in: folder.appending(path: "a/maildir/tmp")) == [])
        }
    }

    @Test(
        "A mail that was read or moved to cur isn't delivered again",
        arguments: [
            "event-1.async-shop", "event-1.async-shop:2,", "event-1.async-shop:2,RS", "event-1.async-shop,S=9:2,F",
        ])
    func alreadyRead(name: String) async throws {
        try await withTemporaryFolder { folder in
            let maildir = try Maildir(path: folder.path)
            try Data("read".utf8).write(to: folder.appending(path: "cur/\(name)"))
            #expect(try await maildir.deliver(try .sample()) == .delivered)
            #expect(try files(in: folder.appending(path: "new")) == [])
            #expect(try files(in: folder.appending(path: "cur")) == [name])
        }
    }

    @Test("Another mail whose name only begins alike doesn't count") func similarName() async throws {
        try await withTemporaryFolder { folder in
            let maildir = try Maildir(path: folder.path)
            try Data().write(to: folder.appending(path: "cur/event-1.async-shop2:2,S"))
            try Data().write(to: folder.appending(path: "new/event-11.async-shop"))
            _ = try await maildir.deliver(try .sample())
            #expect(try files(in: folder.appending(path: "new")) == ["event-1.async-shop", "event-11.async-shop"])
        }
    }

    @Test("What is in new is never written again") func untouched() async throws {
        try await withTemporaryFolder { folder in
            let maildir = try Maildir(path: folder.path)
            try Data("first".utf8).write(to: folder.appending(path: "new/event-1.async-shop"))
            _ = try await maildir.deliver(try .sample())
            #expect(try Data(contentsOf: folder.appending(path: "new/event-1.async-shop")) == Data("first".utf8))
        }
    }

    @Test("A crash's leftovers in tmp are in nobody's way, and old ones are removed at the next start")
    func leftovers() async throws {
        try await withTemporaryFolder { folder in
            _ = try Maildir(path: folder.path)
            let recent = folder.appending(path: "tmp/event-1.async-shop.recent")
            let old = folder.appending(path: "tmp/event-1.async-shop.old")
            let foreign = folder.appending(path: "tmp/somebody.elses")
            for file in [recent, old, foreign] { try Data("half a ma".utf8).write(to: file) }
            for file in [old, foreign] {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -37 * 3600)], ofItemAtPath: file.path)
            }
            let message = try MailMessage.sample()
            _ = try await Maildir(path: folder.path).deliver(message)
            #expect(
                try Data(contentsOf: folder.appending(path: "new/event-1.async-shop")) == Data(message.bytes))
            #expect(
                try files(in: folder.appending(path: "tmp")) == ["event-1.async-shop.recent", "somebody.elses"])
        }
    }

    @Test("Many at once, each twice, are each there once") func concurrently() async throws {
        try await withTemporaryFolder { folder in
            let maildir = try Maildir(path: folder.path)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    let message = try MailMessage.sample(id: MailID(rawValue: "event-\(number / 2)@async-shop"))
                    group.addTask { _ = try await maildir.deliver(message) }
                }
                try await group.waitForAll()
            }
            #expect(try files(in: folder.appending(path: "new")).count == 20)
            #expect(try files(in: folder.appending(path: "tmp")) == [])
        }
    }

    @Test("A path that can't be a Maildir is told in one sentence") func notWritable() async throws {
        try await withTemporaryFolder { folder in
            let file = folder.appending(path: "file")
            try Data().write(to: file)
            let error = #expect(throws: MaildirError.self) { try Maildir(path: file.path) }
            let text = try #require(error).description
            #expect(
                text == """
                    The Maildir '\(file.path)' can't be written (Not a directory); make it a folder that can be, or set \
                    MAILDIR or SMTP_URL.
                    """)
        }
    }
}

func files(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
}
