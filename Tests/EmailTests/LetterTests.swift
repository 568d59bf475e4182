import Contracts
import Foundation
import TestSupport
import Testing

@testable import Email

@Suite("What the mails say") struct LetterTests {
    let templates: MailTemplates

    init() throws { templates = try MailTemplates() }

    @Test(
        "The owner of a webhook endpoint reads which it is, why, and what to do",
        arguments: [
            (WebhookDisabledReason.gone, "410 Gone"), (.failing, "every attempt has failed"), ("on_fire", "on fire"),
        ])
    func webhookDisabled(reason: WebhookDisabledReason, words: String) throws {
        let letter = Letter(
            TellEndpointOwner(
                endpointId: "we_1", url: "https://merchant.example/hooks?a=1&b=2", ownerEmail: "dev@merchant.example",
                reason: reason, failingSince: Date(timeIntervalSince1970: 1_772_366_400)))
        let (subject, text) = try MailTemplates().render(letter)
        #expect(subject == "Your webhook endpoint is disabled")
        #expect(text.contains("https://merchant.example/hooks?a=1&b=2"))
        #expect(text.contains(words) && text.contains("since 2026-03-01T12:00:00.000Z"))
        #expect(text.contains("POST /webhook-endpoints/we_1/resume"))
    }

    @Test("A confirmation names the order, its lines and its total") func confirmed() {
        let mail = templates.render(Letter(OrderConfirmed.sample()))
        #expect(mail.subject == "Your order order-1 is confirmed")
        #expect(
            mail.text == """
                Hello,

                thank you for your order order-1. Your payment has arrived and we are packing:

                  2 × MUG-01 at 12.50 EUR
                  1 × TEA-GREEN at 4.99 EUR

                Total: 29.99 EUR

                We hope that you enjoy it.

                Your async-shop

                """)
    }

    @Test("A refund names the amount") func refunded() {
        let mail = templates.render(
            Letter(OrderRefunded(orderId: "order-1", customer: .ada, total: .euros(2999))))
        #expect(mail.subject == "Refund for your order order-1")
        #expect(
            mail.text == """
                Hello,

                your order order-1 had been cancelled, but your payment reached us all the same.
                We have sent 29.99 EUR back to you, the same way as you had paid.
                It may take a few days until your bank shows it.

                There is nothing that you need to do.

                Your async-shop

                """)
    }

    @Test(
        "A cancellation has its reason in words, also one that is newer than the program",
        arguments: [
            (.outOfStock, "we no longer have all of its products in stock"),
            (.paymentDeclined, "your payment was declined"),
            (.paymentTimeout, "your payment did not arrive in time"),
            (.customerRequest, "you asked us to"), ("lost_at_sea", "of this reason: lost at sea"),
        ] as [(CancellationReason, String)])
    func cancelled(reason: CancellationReason, words: String) {
        let mail = templates.render(
            Letter(OrderCancelled(orderId: "order-1", customer: .ada, total: .euros(2999), reason: reason)))
        #expect(mail.subject == "Your order order-1 was cancelled")
        #expect(
            mail.text == """
                Hello,

                we are sorry: your order order-1 (29.99 EUR) was cancelled, because
                \(words).

                You pay nothing for it. If money has left your account already, we send it back.

                You are welcome to order again at any time.

                Your async-shop

                """)
    }

    @Test("Values stay on their line, whatever they hold") func lineBreaks() {
        let mail = templates.render(
            Letter(
                OrderConfirmed.sample(orderId: "o\r\nBcc: eve@example.com\n\nPay here", sku: "A\u{2028}B{{total}}<b>")))
        #expect(mail.subject == "Your order o  Bcc: eve@example.com  Pay here is confirmed")
        #expect(mail.text.contains("\n  2 × A B{{total}}<b> at 12.50 EUR\n"))
        #expect(!mail.text.contains("\nBcc"))
    }

    @Test("A value is cut where it would fill the page") func longValue() {
        let mail = templates.render(
            Letter(OrderConfirmed.sample(sku: SKU(rawValue: String(repeating: "x", count: 9999)))))
        #expect(mail.text.contains("  2 × \(String(repeating: "x", count: 100)) at"))
    }
}

@Suite("Addresses and ids") struct AddressTests {
    @Test(
        "Addresses that can stand in a header and a command",
        arguments: ["ada@example.com", "a.b+c'd@mail.example.co.uk", "root@localhost", "a@1.example"])
    func valid(text: String) { #expect(EmailAddress(text)?.description == text) }

    @Test(
        "Everything else is no address",
        arguments: [
            "", "ada", "@example.com", "ada@", "ada@@example.com", "ada@example..com", "ada@.example.com",
            "a b@example.com", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\n", "<ada@example.com>",
            "ada@example.com>,<eve@example.com", "\"ada\"@example.com", "ada@[127.0.0.1]", "jürgen@example.com",
            "ada@bücher.example", "ada@example.com\0", String(repeating: "a", count: 65) + "@example.com",
            "ada@" + String(repeating: "a.", count: 130) + "com",
        ])
    func invalid(text: String) { #expect(EmailAddress(text) == nil) }

    @Test("A Message-ID comes of the event's id") func messageID() {
        #expect(MailID(eventID: "0198-ab_C")?.rawValue == "0198-ab_C@async-shop")
        #expect(MailID(eventID: "0198-ab_C")?.eventID == "0198-ab_C")
    }

    @Test(
        "Ids that could leave their place make none", arguments: ["", "../x", "a b", "a>", ".a", "a:2,S", "é", "a\r\n"])
    func unsafeID(eventID: String) { #expect(MailID(eventID: eventID) == nil) }
}
