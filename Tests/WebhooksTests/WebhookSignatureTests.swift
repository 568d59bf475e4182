import Foundation
import Testing
import Webhooks

@Suite("Standard Webhooks signatures") struct WebhookSignatureTests {
    let secret = WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")!
    let body = Data(#"{"test": 2432232314}"#.utf8)
    let sentAt = Date(timeIntervalSince1970: 1_614_265_330)
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"

    @Test("The specification's example gives the specification's signature") func knownSignature() {
        #expect(
            WebhookSignature.sign(id: id, timestamp: sentAt, body: body, secrets: [secret])
                == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("A signed webhook verifies up to the tolerance and not beyond", arguments: [0, 300, -300, 301, -301])
    func tolerance(seconds: Int) {
        let verdict = verify(now: sentAt.addingTimeInterval(Double(seconds)))
        #expect(verdict == (abs(seconds) <= 300 ? .success(id) : .failure(.outsideTolerance)))
    }

    @Test("One matching signature of several is enough") func rotation() {
        let other = WebhookSecret("whsec_" + Data(repeating: 7, count: 32).base64EncodedString())!
        let both = WebhookSignature.sign(id: id, timestamp: sentAt, body: body, secrets: [other, secret])
        #expect(both.split(separator: " ").count == 2)
        #expect(verify(signature: both) == .success(id))
    }

    @Test("Another body, id or secret doesn't verify") func mismatches() {
        #expect(verify(body: Data("{}".utf8)) == .failure(.mismatch))
        #expect(verify(headerID: "msg_other") == .failure(.mismatch))
        #expect(verify(signature: "v1,bm90IGl0") == .failure(.mismatch))
        #expect(verify(signature: "v1a,unknown") == .failure(.mismatch))
    }

    @Test("A missing or malformed header is named") func malformed() {
        #expect(verify(headerID: nil) == .failure(.malformed(header: "webhook-id")))
        #expect(verify(stamp: "yesterday") == .failure(.malformed(header: "webhook-timestamp")))
    }

    @Test("Only secrets of 24 to 64 bytes are taken", arguments: [(23, false), (24, true), (64, true), (65, false)])
    func secretLength(count: Int, isTaken: Bool) {
        let secret = WebhookSecret("whsec_" + Data(repeating: 1, count: count).base64EncodedString())
        #expect((secret != nil) == isTaken)
        #expect(WebhookSecret(Data(repeating: 1, count: 32).base64EncodedString()) == nil)
    }

    private func verify(
        headerID: String? = "msg_p5jXN8AQM9LWM0D4loKWxJek", stamp: String = "1614265330", signature: String? = nil,
        body: Data? = nil, now: Date? = nil
    ) -> Result<String, WebhookSignature.Failure> {
        let headers = [
            "webhook-id": headerID, "webhook-timestamp": stamp,
            "webhook-signature": signature
                ?? WebhookSignature.sign(id: id, timestamp: sentAt, body: self.body, secrets: [secret]),
        ]
        do {
            return .success(
                try WebhookSignature.verify(
                    header: { headers[$0] ?? nil }, body: body ?? self.body, secret: secret, now: now ?? sentAt))
        } catch {
            return .failure(error)
        }
    }
}
