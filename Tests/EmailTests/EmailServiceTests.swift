import Contracts
import Foundation
import Hummingbird
import HummingbirdTesting
import Messaging
import Outbox
import ServiceKit
import TestSupport
import Testing

@testable import Email

@Suite("From an event to a mail", .timeLimit(.minutes(1))) struct EmailServiceTests {
    let event = CloudEvent.sample(OrderConfirmed.sample(), id: "event-1")

    @Test("An event that comes twice makes one mail") func duplicate() async throws {
        let transport = ScriptedTransport(.success(.delivered))
        try await EmailFixture.run(transport: transport) { email in
            try await email.handle(event)
            try await email.handle(event)
            let mail = try await email.deliver(until: "event-1@async-shop")
            try await email.handle(event)
            #expect(try await email.effectCount() == 0)
            #expect(mail.kind == .orderConfirmed)
            #expect(mail.correlationID == "correlation-1")
            let message = try #require(transport.messages.values.first)
            #expect(transport.messages.values.count == 1)
            #expect(message.to.description == "ada@example.com")
            #expect(message.date == event.attributes.time)
            #expect(message.subject == "Your order order-1 is confirmed")
        }
    }

    @Test("Also when the inbox has forgotten the event, its mail isn't sent again") func forgotten() async throws {
        try await EmailFixture.run(transport: ScriptedTransport(.success(.delivered))) { email in
            try await email.handle(event)
            try await email.deliver(until: "event-1@async-shop")
            try await email.database.execute("DELETE FROM inbox")
            try await email.handle(event)
            #expect(try await email.effectCount() == 0)
        }
    }

    @Test("Each kind of event makes its mail") func kinds() async throws {
        try await EmailFixture.run(
            transport: ScriptedTransport(.success(.delivered), .success(.delivered), .success(.delivered))
        ) { email in
            try await email.handle(event)
            try await email.handle(
                CloudEvent.sample(
                    OrderCancelled(orderId: "order-1", customer: .ada, total: .euros(1), reason: .outOfStock),
                    id: "event-2"))
            try await email.handle(
                CloudEvent.sample(OrderRefunded(orderId: "order-1", customer: .ada, total: .euros(1)), id: "event-3"))
            var kinds: [MailKind] = []
            for id in ["event-1@async-shop", "event-2@async-shop", "event-3@async-shop"] as [MailID] {
                kinds.append(try await email.deliver(until: id).kind)
            }
            #expect(kinds == [.orderConfirmed, .orderCancelled, .orderRefunded])
        }
    }

    @Test("A crash between delivery and its record makes no second mail") func crash() async throws {
        try await withTemporaryFolder { folder in
            try await EmailFixture.run(transport: try Maildir(path: folder.path)) { email in
                email.database.failNextRemoval()
                try await email.handle(event)
                let mail = try await email.deliver(until: "event-1@async-shop")
                guard case .delivered = mail.status else {
                    Issue.record("\(mail.status)")
                    return
                }
                #expect(try files(in: folder.appending(path: "new")) == ["event-1.async-shop"])
            }
        }
    }

    @Test("Over SMTP the second attempt after a crash is the same mail, byte by byte") func crashBySMTP() async throws {
        let transport = ScriptedTransport(.success(.delivered), .success(.delivered))
        try await EmailFixture.run(transport: transport) { email in
            email.database.failNextRemoval()
            try await email.handle(event)
            try await email.deliver(until: "event-1@async-shop")
            let bytes = transport.messages.values.map(\.bytes)
            #expect(bytes.count == 2)
            #expect(Set(bytes).count == 1)
        }
    }

    @Test("While the other side is away mails wait, requests are answered, and the check says so") func away()
        async throws
    {
        let transport = ScriptedTransport(
            .failure(ScriptedTransport.Away()), .failure(ScriptedTransport.Away()), .success(.delivered))
        try await EmailFixture.run(transport: transport) { email in
            try await email.handle(event)
            #expect(try await email.get("/health/ready").status == .ok)
            let id: MailID = "event-1@async-shop"
            async let mail = email.deliver(until: id)
            await transport.messages.first(2)
            // The second attempt comes after the first one's failure was reported.
            _ = try await mail
            let report = email.chassis.readiness.report
            #expect(report.checks["scripted"]?.required == false)
            #expect(report.checks["scripted"]?.ready == true)
            #expect(transport.messages.values.count == 3)
        }
    }

    @Test("A check that isn't required is told and leaves the service ready") func degraded() async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            email.chassis.readiness.set("scripted", ready: false, detail: "away", required: false)
            let (status, body) = try await email.get("/health/ready")
            #expect(status == .ok)
            #expect(String(decoding: body, as: UTF8.self).contains(#""status":"degraded""#))
        }
    }

    @Test("A refusal is written down and not tried again") func refused() async throws {
        try await EmailFixture.run(transport: ScriptedTransport(.success(.refused(reason: "550 nobody here")))) {
            email in
            try await email.handle(event)
            let mail = try await email.deliver(until: "event-1@async-shop")
            guard case .refused(_, "550 nobody here") = mail.status else {
                Issue.record("\(mail.status)")
                return
            }
            #expect(try await email.effectCount() == 0)
            #expect(try await email.get("/mails").body == Data(#"{"mails":[]}"#.utf8))
        }
    }

    @Test("An address that is none is refused without being tried") func noAddress() async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            let hostile = OrderConfirmed.sample(email: "ada@example.com\r\nBcc: eve@example.com")
            try await email.handle(CloudEvent.sample(hostile, id: "event-1"))
            #expect(try await email.effectCount() == 0)
            let body = String(decoding: try await email.get("/mails/event-1@async-shop").body, as: UTF8.self)
            #expect(body.contains(#""status":"refused""#))
            #expect(body.contains(#""reason":"The recipient's address isn't one that mail can be sent to.""#))
        }
    }

    @Test("An event whose id can't name a mail is a dead letter") func badID() async throws {
        try await EmailFixture.run(transport: ScriptedTransport()) { email in
            await #expect(throws: Unprocessable.self) {
                try await email.handle(CloudEvent.sample(OrderConfirmed.sample(), id: "../../etc/passwd"))
            }
        }
    }
}
