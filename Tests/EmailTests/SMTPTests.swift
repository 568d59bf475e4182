import Contracts
import Foundation
import ServiceKit
import TestSupport
import Testing

@testable import Email

@Suite("SMTP", .timeLimit(.minutes(2))) struct SMTPTests {
    /// What SMTP_URL is when the password has everything in it that must be encoded.
    private let login = ["--login", "shop@example.com:p@ss:w/rd%"]
    private let userInfo = "shop%40example.com:p%40ss%3Aw%2Frd%25@"

    private func transport(_ scheme: String, _ server: MailServer, userInfo: String = "", trusting: Bool = true) throws
        -> SMTP
    {
        SMTP(
            server: try SMTPServer(
                url: "\(scheme)://\(userInfo)127.0.0.1:\(server.address.port)",
                certificateAuthorities: trusting ? server.address.certificateAuthorities : nil))
    }

    @Test("Another parser reads what was meant") func foreignParser() async throws {
        try await MailServer.run { server in
            let text = "2 × Größe\n\nlast line \n"
            _ = try await transport("smtp", server).deliver(
                try .sample(subject: "Größe ☕ \(String(repeating: "é", count: 50))", text: text))
            let mail = try #require(await server.mails.first { _ in true })
            #expect(mail.subject == "Größe ☕ \(String(repeating: "é", count: 50))")
            #expect(mail.text.replacingOccurrences(of: "\r\n", with: "\n") == text)
            #expect(mail.defects == [])
            #expect(mail.headers.count == 10)
            #expect((mail.sender, mail.recipients) == ("shop@example.com", ["ada@example.com"]))
            #expect(!mail.isEncrypted && !mail.isLoggedIn)
        }
    }

    @Test(
        "With a login, and encrypted where the server can",
        arguments: [
            ("smtp", [], false), ("smtp", ["--tls", "starttls"], true), ("smtps", ["--tls", "implicit"], true),
        ])
    func logsIn(scheme: String, arguments: [String], isEncrypted: Bool) async throws {
        try await MailServer.run(login + arguments) { server in
            #expect(try await transport(scheme, server, userInfo: userInfo).deliver(try .sample()) == .delivered)
            let mail = try #require(await server.mails.first { _ in true })
            #expect(mail.isLoggedIn)
            #expect(mail.isEncrypted == isEncrypted)
        }
    }

    @Test("A wrong password is an error that doesn't repeat it") func wrongPassword() async throws {
        try await MailServer.run(login) { server in
            let transport = try transport("smtp", server, userInfo: "shop%40example.com:secret@")
            let error = await #expect(throws: SMTPError.self) { try await transport.deliver(try .sample()) }
            #expect(error == .login(server: "127.0.0.1:\(server.address.port)", code: 535))
            #expect(!"\(error, default: "")".contains("secret"))
            #expect(server.mails.values.isEmpty)
        }
    }

    @Test("A missing login is an error, and not the recipient's fault") func missingLogin() async throws {
        try await MailServer.run(login) { server in
            let error = await #expect(throws: SMTPError.self) {
                try await transport("smtp", server).deliver(try .sample())
            }
            #expect("\(error, default: "")".contains("answered MAIL with: 530"))
        }
    }

    @Test(
        "A server that can't prove who it is gets no mail and no password",
        arguments: [("smtp", "starttls"), ("smtps", "implicit")])
    func untrusted(scheme: String, tls: String) async throws {
        try await MailServer.run(login + ["--tls", tls]) { server in
            let transport = try transport(scheme, server, userInfo: userInfo, trusting: false)
            let error = await #expect(throws: SMTPError.self) { try await transport.deliver(try .sample()) }
            #expect("\(error, default: "")".contains("certificate"))
            #expect(server.mails.values.isEmpty)
        }
    }

    @Test(
        "A recipient or a mail that the server will never take is refused, with its reason",
        arguments: [
            ("refused@example.com", "550 5.1.1 <(the recipient)> is unknown here"),
            ("spam@example.com", "554 5.7.1 Nobody wants this"),
        ])
    func refused(recipient: String, reply: String) async throws {
        try await MailServer.run { server in
            let outcome = try await transport("smtp", server).deliver(try .sample(to: recipient))
            #expect(
                outcome == .refused(reason: "The mail server 127.0.0.1:\(server.address.port) refused it: \(reply)"))
            #expect(server.mails.values.isEmpty)
        }
    }

    @Test("An answer that is only for now is an error, and the next attempt succeeds") func busy() async throws {
        try await MailServer.run { server in
            let transport = try transport("smtp", server)
            let message = try MailMessage.sample(to: "busy@example.com")
            let error = await #expect(throws: SMTPError.self) { try await transport.deliver(message) }
            #expect(
                error
                    == .reply(
                        server: "127.0.0.1:\(server.address.port)", command: "RCPT",
                        reply: "451 4.7.1 <(the recipient)> come back later"))
            #expect(try await transport.deliver(message) == .delivered)
            #expect(server.mails.values.count <= 1)
            #expect(await server.mails.first(1).count == 1)
        }
    }

    @Test("A server that is away is an error that says so") func away() async throws {
        let listener = try SilentListener()
        let transport = SMTP(server: try SMTPServer(url: "smtp://user:secret@127.0.0.1:\(listener.port)"))
        listener.close()
        let error = await #expect(throws: SMTPError.self) { try await transport.deliver(try .sample()) }
        #expect("\(error, default: "")".contains("127.0.0.1:\(listener.port) could not be used"))
        #expect(!"\(error, default: "")".contains("secret"))
    }

    @Test("A server that says nothing doesn't hold up the end of the service") func cancelled() async throws {
        let listener = try SilentListener()
        defer { listener.close() }
        let transport = SMTP(server: try SMTPServer(url: "smtp://127.0.0.1:\(listener.port)"))
        // Had it waited for the server, the error would be another.
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await transport.deliver(try .sample()) }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }
}

@Suite("SMTP_URL") struct SMTPServerTests {
    @Test("User and password are decoded, and shown nowhere") func login() throws {
        let server = try SMTPServer(url: "smtps://me%40example.com:p%40ss%3A@mail.example.com")
        #expect(server.login?.user == "me@example.com")
        #expect(server.login?.password == "p@ss:")
        #expect(server.url == "smtps://mail.example.com:465")
        var dump = ""
        Swift.dump(server, to: &dump)
        #expect(!"\(server) \(String(reflecting: server)) \(dump)".contains("ss:"))
    }

    @Test(
        "Ports and hosts",
        arguments: [
            ("smtp://mail.example.com", "smtp://mail.example.com:25"), ("smtp://[::1]:2525/", "smtp://[::1]:2525"),
            ("SMTPS://mail.example.com:4650", "smtps://mail.example.com:4650"),
        ])
    func urls(text: String, url: String) throws { #expect(try SMTPServer(url: text).url == url) }

    @Test(
        "What is none is told without repeating it",
        arguments: [
            "mail.example.com:25", "http://mail.example.com", "smtp://", "smtp://user:secret@", "smtp://:secret@host",
            "smtp://host/secret", "smtp://host?secret", "smtp://host:0", "smtp://host:99999", "smtp://u:secret%00@host",
            "smtp://u:secr%0d%0aet@host", "smtp://u:sec ret@host",
        ])
    func malformed(text: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try SMTPServer(url: text) }
        let message = try #require(error).message
        #expect(message.hasPrefix("SMTP_URL must look like"))
        #expect(!message.contains("secret"))
    }
}

@Suite("What an answer was about") struct SMTPConversationTests {
    private func conversation(_ lines: String...) -> SMTPConversation {
        lines.reduce(into: SMTPConversation()) { conversation, line in
            let bytes = (line.dropFirst(2) + "\r\n").utf8
            if line.hasPrefix("<") { conversation.received(Array(bytes)) } else { conversation.sent(Array(bytes)) }
        }
    }

    @Test("The goodbye after a refusal doesn't hide it") func goodbye() {
        let talk = conversation("> RCPT TO:<a@b>", "< 550-No", "< 550 such user", "> QUIT", "< 221 Bye")
        #expect(talk.verdict == .refused)
        #expect(talk.reply == "550-No 550 such user")
    }

    @Test("A password on its way is no command") func secret() {
        let talk = conversation("> AUTH LOGIN", "< 334 VXNlcm5hbWU6", "> c2VjcmV0", "< 535 c2VjcmV0 is wrong")
        #expect(talk.verdict == .loginRefused)
        #expect(talk.command == "AUTH")
    }

    @Test("A server that has enough, or wants a login, may take the mail later") func later() {
        #expect(conversation("< 421 too busy").verdict == .failed)
        #expect(conversation("> MAIL FROM:<a@b>", "< 550 not you").verdict == .failed)
        #expect(conversation("> RCPT TO:<a@b>", "< 530 log in").verdict == .failed)
        #expect(conversation("> RCPT TO:<a@b>", "< 452 full").verdict == .failed)
        #expect(conversation("> RCPT TO:<a@b>", "< 250 OK").verdict == nil)
    }
}

/// A port on which nobody ever answers.
struct SilentListener {
    private let socket: Int32
    let port: Int

    init() throws {
        #if canImport(Glibc)
            let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let socket = Foundation.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(socket, pointer, length) == 0 && listen(socket, 5) == 0
                    && getsockname(socket, pointer, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRNOTAVAIL) }
        self.socket = socket
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func close() { _ = Foundation.close(socket) }
}
