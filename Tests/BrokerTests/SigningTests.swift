import Crypto
import CryptoExtras
import Foundation
import Testing
import X509

@testable import Broker

struct SigningTests {
    /// Amazon's own description: these members, sorted by name, each name and each value in a line.
    static func verify(_ envelope: String, certificatePEM: String) throws -> Bool {
        let members = try JSONValue(parsing: envelope).object ?? [:]
        let names =
            members["Type"] == .string("Notification")
            ? ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
            : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        let text = names.compactMap { name in members[name]?.string.map { "\(name)\n\($0)\n" } }.joined()
        let certificate = try Certificate(pemEncoded: certificatePEM)
        let key = try #require(_RSA.Signing.PublicKey(certificate.publicKey))
        let signature = _RSA.Signing.RSASignature(
            rawRepresentation: try #require(Data(base64Encoded: members["Signature"]?.string ?? "")))
        let data = Data(text.utf8)
        return members["SignatureVersion"] == .string("2")
            ? key.isValidSignature(signature, for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5)
            : key.isValidSignature(signature, for: Insecure.SHA1.hash(data: data), padding: .insecurePKCS1v1_5)
    }

    private let caller = Caller(
        region: "us-east-1", baseURL: "http://127.0.0.1:4566", account: "000000000000", requestID: "r",
        correlationID: "r")

    @Test(arguments: [SigningIdentity.Version.sha1, .sha256], [nil, "a subject", "☃"])
    func notifications(version: SigningIdentity.Version, subject: String?) throws {
        let identity = try SigningIdentity.make(now: Date())
        let topic = TopicEnvelope(
            topic: "t", version: version, identity: identity, caller: caller, now: 1_700_000_000_123)
        let notification = Notification(
            messageID: MessageID.make(), message: "line\nnext \"quoted\" ☃", subject: subject,
            attributes: ["a": .init(type: "String", value: .text("b"))])
        let content = try notification.enveloped(for: .sqs, topic: topic)
        let (body, _) = content.rendered(for: "subscription")
        #expect(try Self.verify(body, certificatePEM: identity.certificatePEM))
        let members = try JSONValue(parsing: body).object
        #expect(members?["SignatureVersion"] == .string(version.rawValue))
        #expect(members?["SigningCertURL"] == .string("http://127.0.0.1:4566" + identity.certificatePath))
        #expect(members?["UnsubscribeURL"]?.string?.hasSuffix("\(caller.topicARN("t")):subscription") == true)
        let forged = body.replacingOccurrences(of: "quoted", with: "forged")
        #expect(try !Self.verify(forged, certificatePEM: identity.certificatePEM))
        let other = try SigningIdentity.make(now: Date())
        #expect(try !Self.verify(body, certificatePEM: other.certificatePEM))
    }

    @Test(arguments: [EnvelopeType.subscriptionConfirmation, .unsubscribeConfirmation])
    func confirmations(type: EnvelopeType) throws {
        let identity = try SigningIdentity.make(now: Date())
        let topic = TopicEnvelope(
            topic: "t", version: .sha1, identity: identity, caller: caller, now: 1_700_000_000_000)
        let subscription = try Subscription(
            id: "s", topic: "t", region: "us-east-1", kind: .http, endpoint: "http://127.0.0.1/x",
            attributes: SubscriptionAttributes([:]), consent: .asked(.pending, at: 0))
        let body = try topic.confirmation(type, of: subscription, id: "m").body
        #expect(try Self.verify(body, certificatePEM: identity.certificatePEM))
        #expect(EnvelopeType(of: body) == type)
        let token = try #require(subscription.consent.token)
        #expect(token.utf8.count == 64)
        #expect(
            try JSONValue(parsing: body).object?["SubscribeURL"]
                == .string("http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn=\(topic.arn)&Token=\(token)"))
    }

    @Test func theIdentityIsKept() async throws {
        let folder = try TemporaryFolder()
        let url = "sqlite:\(folder.path)/broker.sqlite"
        let first = try await BrokerStore.open(url: url)
        let identity = try await first.signingIdentity()
        try await first.database.close()
        let second = try await BrokerStore.open(url: url)
        let again = try await second.signingIdentity()
        #expect(again.certificatePEM == identity.certificatePEM)
        #expect(again.certificatePath == identity.certificatePath)
        try await second.database.close()
    }
}
