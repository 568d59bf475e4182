import Foundation
import TestSupport
import Testing
import Webhooks

@Suite("Sending a webhook", .timeLimit(.minutes(1))) struct WebhookClientTests {
    private let message = WebhookMessage(id: "msg_1", body: Data("{}".utf8))

    private func client(
        timeout: Duration = .seconds(600),
        resolve: @escaping @Sendable (String) async throws -> [IPAddress] = HostNames.addresses
    ) -> WebhookClient {
        WebhookClient(
            addresses: AddressGuard(allowing: .loopback, resolve: resolve), timeout: timeout, userAgent: "test")
    }

    @Test("The connection goes to the address that was checked, the request to the name") func checkedAddress()
        async throws
    {
        try await WebhookReceiver.run { receiver in
            let url = try WebhookURL(receiver.url(host: "merchant.example"))
            let answer = try await client(resolve: { _ in [.v4(0x7F00_0001)] }).post(
                message, to: url, attempt: 1, secrets: [.make()])
            #expect(answer == WebhookAnswer(status: 204))
            let host = await receiver.first(1).first?.headers["host"]
            #expect(host == "merchant.example:\(receiver.url().split(separator: "/")[1].split(separator: ":")[1])")
        }
    }

    @Test("Redirects aren't followed, and of the answer only the start is read") func redirect() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { _ in
                .status(302, headers: ["location": "/elsewhere"], text: String(repeating: "x", count: 100_000))
            }
            let answer = try await client().post(
                message, to: try WebhookURL(receiver.url()), attempt: 1, secrets: [.make()])
            #expect(answer == WebhookAnswer(status: 302, start: String(repeating: "x", count: 512)))
            #expect(!answer.isSuccess)
            #expect(receiver.all(at: "/elsewhere").isEmpty)
        }
    }

    @Test("Nobody there, and nobody who answers in time, are failures in words") func noAnswer() async throws {
        try await WebhookReceiver.run { receiver in
            receiver.answer { _ in .never }
            let url = try WebhookURL(receiver.url())
            await #expect(throws: WebhookClient.NoAnswer.self) {
                try await client(timeout: .milliseconds(100)).post(message, to: url, attempt: 1, secrets: [.make()])
            }
        }
        await #expect(throws: WebhookClient.NoAnswer.self) {
            try await client().post(
                message, to: try WebhookURL("http://127.0.0.1:1/"), attempt: 1, secrets: [.make()])
        }
    }

    @Test("A name server that is silent doesn't hold it up for longer than the time limit") func slowNames()
        async throws
    {
        let url = try WebhookURL("http://merchant.example/")
        await #expect(throws: WebhookClient.NoAnswer.self) {
            try await client(timeout: .milliseconds(50)) { _ in
                await Gate().pass()
                throw CancellationError()
            }.post(message, to: url, attempt: 1, secrets: [.make()])
        }
    }
}
