import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Synchronization
import Testing
import Webhooks

@testable import Shop

@Suite struct WebhookListenerTests {
    private let secret = WebhookSecret.make()
    private let receipts = Receipts()

    private final class Receipts: Sendable {
        let all = Mutex<[WebhookListener.Receipt]>([])
    }

    private func post(
        _ behaviour: WebhookListener.Behaviour = .init(), _ messages: (id: String, secret: WebhookSecret)...
    ) async throws -> [Int] {
        let listener = WebhookListener(secret: secret, behaviour: behaviour) { [receipts] receipt in
            receipts.all.withLock { $0.append(receipt) }
        }
        return try await Application(router: listener.router()).test(.router) { client in
            var statuses: [Int] = []
            for (id, secret) in messages {
                let message = WebhookMessage(id: id, body: Data(#"{"type":"ping"}"#.utf8))
                var headers = HTTPFields()
                for (name, value) in message.headers(signedAt: Date(), with: [secret]) {
                    headers[try #require(HTTPField.Name(name))] = value
                }
                let answer = try await client.execute(
                    uri: "/", method: .post, headers: headers, body: ByteBuffer(bytes: message.body))
                statuses.append(Int(answer.status.code))
            }
            return statuses
        }
    }

    @Test func whatIsSignedIsShownAndARepeatIsKnown() async throws {
        #expect(try await post(.init(), ("msg_1", secret), ("msg_1", secret), ("msg_2", secret)) == [204, 204, 204])
        let all = receipts.all.withLock { $0 }
        #expect(all.map(\.isRepeat) == [false, true, false])
        #expect(all.allSatisfy { $0.type == "ping" && $0.rejected == nil && $0.answer == "204" })
        #expect(all[1].line.contains("verified, a repeat"))
    }

    @Test func whatSomebodyElseSignedIsRefused() async throws {
        #expect(try await post(.init(), ("msg_1", .make())) == [401])
        #expect(receipts.all.withLock { $0.first?.line.contains("NOT VERIFIED") } == true)
    }

    @Test func itFailsAsOftenAsItIsTold() async throws {
        let statuses = try await post(.init(failures: 2), ("msg_1", secret), ("msg_1", secret), ("msg_1", secret))
        #expect(statuses == [500, 500, 204])
        #expect(receipts.all.withLock { $0.allSatisfy { !$0.isRepeat } }, "what failed was not taken")
        #expect(try await post(.init(status: 410), ("msg_2", secret)) == [410])
    }
}
