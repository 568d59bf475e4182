import Contracts
import Foundation
import HummingbirdTesting
import ServiceKit
import TestSupport
import Testing

@testable import Email

@Suite("GET /mails", .timeLimit(.minutes(1))) struct RoutesTests {
    private struct List: Decodable {
        let mails: [Entry]
        let nextCursor: String?

        struct Entry: Decodable, Equatable {
            let messageId, orderId, to, subject, kind: String
            let at: Date
        }
    }

    private func list(_ email: EmailFixture, _ query: String = "") async throws -> List {
        let (status, body) = try await email.get("/mails\(query)")
        #expect(status == .ok)
        return try ShopJSON.decoder().decode(List.self, from: body)
    }

    /// Mails with the given numbers, delivered at as many seconds after noon; each second one is of order-2.
    private func add(_ numbers: ClosedRange<Int>, secondsEach: Double = 1, to email: EmailFixture) async throws {
        try await email.database.write { transaction in
            for number in numbers {
                let mail = Mail(
                    id: MailID(rawValue: "event-\(number)@async-shop"),
                    orderID: number % 2 == 0 ? "order-2" : "order-1",
                    recipient: "ada@example.com", kind: .orderConfirmed, subject: "Subject \(number)",
                    text: "Text \(number)\n",
                    correlationID: "correlation-1", writtenAt: noon,
                    status: .delivered(at: noon.addingTimeInterval(Double(number) * secondsEach + 0.25)))
                guard try email.store.add(mail, in: transaction) else { Issue.record("\(mail.id) was there"); return }
            }
        }
    }

    @Test("Delivered mails, the latest first, of one order or of all") func lists() async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            try await add(1...3, to: email)
            // A mail that waits isn't listed.
            try await email.handle(CloudEvent.sample(OrderConfirmed.sample(), id: "event-9"))
            let all = try await list(email)
            #expect(all.mails.map(\.subject) == ["Subject 3", "Subject 2", "Subject 1"])
            #expect(all.nextCursor == nil)
            #expect(try await list(email, "?orderId=order-2&cursor=").mails.map(\.subject) == ["Subject 2"])
            #expect(try await list(email, "?orderId=order%2D1").mails.map(\.subject) == ["Subject 3", "Subject 1"])
            #expect(try await list(email, "?orderId=unknown").mails == [])
            #expect(
                String(decoding: try await email.get("/mails?orderId=order-2").body, as: UTF8.self) == """
                    {"mails":[{"at":"2026-03-01T12:00:02.250Z","kind":"order_confirmed",\
                    "messageId":"event-2@async-shop","orderId":"order-2","subject":"Subject 2","to":"ada@example.com"}]}
                    """)
        }
    }

    @Test("Pages follow each other without gap or overlap, also within one millisecond", arguments: [1, 0])
    func pages(secondsEach: Double) async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            try await add(1...7, secondsEach: secondsEach, to: email)
            var subjects: [String] = []
            var cursor: String?
            repeat {
                let page = try await list(email, "?limit=3&cursor=\(cursor ?? "")")
                subjects += page.mails.map(\.subject)
                cursor = page.nextCursor
            } while cursor != nil
            #expect(subjects == (1...7).reversed().map { "Subject \($0)" })
        }
    }

    @Test(
        "A wrong parameter is named",
        arguments: [
            ("cursor", "?cursor=x"), ("cursor", "?cursor=-1.a"), ("limit", "?limit=0"), ("limit", "?limit=101"),
            ("limit", "?limit=ten"),
        ])
    func wrongParameter(field: String, query: String) async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            let (status, body) = try await email.get("/mails\(query)")
            #expect(status == .unprocessableContent)
            #expect(String(decoding: body, as: UTF8.self).contains(#""field":"\#(field)""#))
        }
    }

    @Test(
        "One mail with its text, whatever has become of it", arguments: ["event-1@async-shop", "event-1%40async-shop"])
    func shows(id: String) async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            try await add(1...1, to: email)
            #expect(
                String(decoding: try await email.get("/mails/\(id)").body, as: UTF8.self) == """
                    {"at":"2026-03-01T12:00:01.250Z","kind":"order_confirmed","messageId":"event-1@async-shop",\
                    "orderId":"order-1","status":"delivered","subject":"Subject 1","text":"Text 1\\n","to":"ada@example.com"}
                    """)
            try await email.handle(CloudEvent.sample(OrderConfirmed.sample(), id: "event-9"))
            let waiting = String(decoding: try await email.get("/mails/event-9@async-shop").body, as: UTF8.self)
            #expect(waiting.contains(#""status":"waiting""#) && !waiting.contains(#""at""#))
            #expect(try await email.get("/mails/event-2@async-shop").status == .notFound)
        }
    }
}

@Suite("The whole service") struct BuildTests {
    private func chassis(_ environment: [String: String], in folder: URL) throws -> Chassis {
        let common = [
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "DATABASE_URL": "sqlite:\(folder.path)/email.sqlite",
            "MAILDIR": "\(folder.path)/maildir",
        ]
        return Chassis(
            configuration: try ServiceConfiguration(
                service: "email", defaultPort: 0, environment: common.merging(environment) { $1 }),
            logger: .silent, openAPI: PackageResources.openapi_yaml)
    }

    @Test("It is built, and answers, while nothing that it needs is there") func builds() async throws {
        try await withTemporaryFolder { folder in
            let chassis = try chassis(["SMTP_URL": "smtp://user:secret@127.0.0.1:1"], in: folder)
            let assembly = try await build(chassis)
            try await assembly.application().test(.router) { client async throws in
                #expect(try await client.execute(uri: "/mails", method: .get).status == .ok)
                #expect(try await client.execute(uri: "/mails", method: .post).status == .methodNotAllowed)
                #expect(try await client.execute(uri: "/health/ready", method: .get).status == .serviceUnavailable)
            }
            #expect(chassis.readiness.report.checks["smtp"]?.required == false)
            #expect(chassis.readiness.report.checks["broker"]?.ready == false)
            // What runs was never started; its client must be closed all the same.
            for service in assembly.services.prefix(1) { try await withRunning(service) { _ in } }
        }
    }

    @Test(
        "A wrong setting stops it with a sentence that names it",
        arguments: [
            ("SMTP_URL", "mail.example.com"), ("MAIL_FROM", "shop"), ("MAIL_FROM", "a@b\r\nBcc: e@f"),
            ("MESSAGE_VISIBILITY_TIMEOUT_SECONDS", "0"),
        ])
    func wrongSetting(variable: String, value: String) async throws {
        try await withTemporaryFolder { folder in
            let chassis = try chassis([variable: value], in: folder)
            let error = await #expect(throws: ConfigurationError.self) { _ = try await build(chassis) }
            #expect(error?.message.hasPrefix("\(variable) must") == true)
        }
    }
}
