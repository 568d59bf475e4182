import AWSSignature
import Foundation
import NIOCore
import NIOHTTP1
import ServiceKit
import Testing

@testable import Broker

/// Who may come in. The signatures are what botocore's `SigV4Auth` and `SigV4QueryAuth` made of these requests.
@Suite("The gatekeeper") struct GatekeeperTests {
    static let key = Gatekeeper.Key(id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    /// 2026-03-01 12:00:00
    static let noon = 1_772_366_400

    struct Signed: Sendable {
        var method = HTTPMethod.POST
        var path = "/"
        var headers: [String: String] = [:]
        var signedHeaders = "host;x-amz-date"
        var signature = ""
        var credential = "AKIDEXAMPLE/20260301/us-east-1/sqs/aws4_request"
        var date: String? = "20260301T120000Z"
        var body = "{}"
        var authorization: String?

        static let plain = Signed(
            headers: [
                "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ListQueues",
                "x-spaces": "  a   b  ",
            ], signedHeaders: "content-type;host;x-amz-date;x-amz-target;x-spaces",
            signature: "04b68d43845f569741ab274a77558ab672fe0c3a95e985e1748fffb3deb17f3a")

        func with(_ change: (inout Signed) -> Void) -> Signed {
            var copy = self
            change(&copy)
            return copy
        }

        var request: DirectRequest {
            var all = [("Host", "127.0.0.1:4566")] + headers.map { ($0, $1) }
            if let date { all.append(("X-Amz-Date", date)) }
            all.append(
                (
                    "Authorization",
                    authorization
                        ?? "AWS4-HMAC-SHA256 Credential=\(credential), SignedHeaders=\(signedHeaders), Signature=\(signature)"
                ))
            return GatekeeperTests.request(method, path, HTTPHeaders(all))
        }
    }

    private static func request(
        _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders = ["Host": "127.0.0.1:4566"]
    ) -> DirectRequest {
        DirectRequest(
            head: HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers),
            body: .whole(ByteBuffer()))
    }

    private func admit(_ signed: Signed, at now: Int = noon) throws(AWSError) {
        try Gatekeeper(key: Self.key, now: { now }).admit(signed.request, body: Data(signed.body.utf8))
    }

    @Test(
        "What botocore signs comes in",
        arguments: [
            Signed.plain,
            Signed(
                path: "/000000000000/a%20b/",
                signature: "cf9ff56e3be4f6133c1fdcb95c20717bcbf86e73426fba5858ebef74147c95bf"),
            Signed(
                method: .GET, path: "/?b=2&a=%C3%A9%2F&B=1&empty=",
                signature: "581846ca4b3a368c01c7aefa272d0cb3a78f32e17be52657d70cb5bf733687db", body: ""),
        ])
    func botocore(signed: Signed) throws {
        try admit(signed)
    }

    @Test("It comes in again with the signing key of the first time") func cached() throws {
        let gatekeeper = Gatekeeper(key: Self.key, now: { Self.noon })
        for _ in 1...2 { try gatekeeper.admit(Signed.plain.request, body: Data("{}".utf8)) }
        #expect(throws: AWSError.self) { try gatekeeper.admit(Signed.plain.request, body: Data("{ }".utf8)) }
    }

    @Test(
        "What was changed on the way stays out",
        arguments: [
            Signed.plain.with { $0.body = "{ }" }, Signed.plain.with { $0.path = "/a/b" },
            Signed.plain.with { $0.path = "/?a=b" }, Signed.plain.with { $0.method = .PUT },
            Signed.plain.with { $0.headers["x-amz-target"] = "AmazonSQS.DeleteQueue" },
            Signed.plain.with { $0.headers["x-spaces"] = nil },
            Signed.plain.with { $0.date = "20260301T120001Z" },
            Signed.plain.with { $0.signedHeaders = "content-type;host;x-amz-date;x-amz-target" },
            // Left unsigned, these could be anything.
            Signed.plain.with { $0.signedHeaders = "host;x-amz-date" },
            Signed.plain.with { $0.signedHeaders = "content-type;x-amz-date;x-amz-target;x-spaces" },
            Signed.plain.with { $0.credential = "AKIDEXAMPLE/20260301/eu-west-1/sqs/aws4_request" },
            Signed.plain.with { $0.credential = "AKIDEXAMPLE/20260302/us-east-1/sqs/aws4_request" },
            Signed.plain.with { $0.credential = "AKIDEXAMPLE/20260301/us-east-1/sqs/aws5_request" },
            Signed.plain.with { $0.signature = "" }, Signed.plain.with { $0.signature += "00" },
        ])
    func changed(signed: Signed) {
        let error = #expect(throws: AWSError.self) { try admit(signed) }
        #expect(error?.code == "SignatureDoesNotMatch")
        #expect(error?.shape == "InvalidSignatureException")
        #expect(error?.status == 403)
    }

    @Test("An unknown key stays out") func unknownKey() {
        let error = #expect(throws: AWSError.self) {
            try admit(Signed.plain.with { $0.credential = "AKIDOTHER/20260301/us-east-1/sqs/aws4_request" })
        }
        #expect(error == .invalidClientToken)
    }

    @Test(
        "Half a signature is none",
        arguments: [
            Signed.plain.with { $0.authorization = "Basic YTpi" }, Signed.plain.with { $0.authorization = "" },
            Signed.plain.with { $0.authorization = "AWS4-HMAC-SHA256" },
            Signed.plain.with { $0.authorization = "AWS4-HMAC-SHA256 Credential, SignedHeaders=host" },
            Signed.plain.with { $0.authorization = "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host" },
            Signed.plain.with { $0.credential = "a/b/c" }, Signed.plain.with { $0.date = nil },
            Signed.plain.with { $0.date = "2026-03-01T12:00:00Z" }, Signed.plain.with { $0.date = "20261301T120000Z" },
            Signed.plain.with { $0.date = "２0260301T120000Z" },
            Signed.plain.with { $0.signedHeaders += ";x-spaces" },
            Signed.plain.with { $0.signedHeaders = "host;" + GatekeeperTests.names(64) },
            // As many as fit into the headers of a request.
            Signed.plain.with { $0.signedHeaders = "host" + String(repeating: ";x-spaces", count: 8000) },
        ])
    func incomplete(signed: Signed) {
        let error = #expect(throws: AWSError.self) { try admit(signed) }
        #expect(error?.code == "IncompleteSignature")
        #expect(error?.status == 400)
    }

    /// `x-1;x-2` and so on.
    private static func names(_ count: Int) -> String { (1...count).map { "x-\($0)" }.joined(separator: ";") }

    @Test("Several headers of one name count as one, and as many may be signed as clients sign")
    func manyHeaders() throws {
        let key = SigningKey(secretAccessKey: Self.key.secret, day: "20260301", region: "us-east-1", service: "sqs")
        let canonical = CanonicalRequest(
            method: "POST",
            headers: [(name: "host", value: "127.0.0.1:4566"), (name: "x-1", value: "one,two")]
                + (2...63).map { (name: "x-\($0)", value: "") }, body: Data("{}".utf8))
        let signed = Signed(
            signedHeaders: "host;" + Self.names(63),
            signature: key.signature(of: canonical, stamp: "20260301T120000Z"))
        var head = signed.request.head
        head.headers.add(name: "X-1", value: "one")
        head.headers.add(name: "x-1", value: "two")
        try Gatekeeper(key: Self.key, now: { Self.noon })
            .admit(DirectRequest(head: head, body: .whole(ByteBuffer())), body: Data("{}".utf8))
    }

    @Test("Without a signature nobody comes in, and without a key everybody does") func unsigned() throws {
        let request = Self.request(.POST, "/")
        let error = #expect(throws: AWSError.self) {
            try Gatekeeper(key: Self.key, now: { Self.noon }).admit(request, body: Data())
        }
        #expect(error == .missingAuthenticationToken)
        try Gatekeeper(key: nil).admit(request, body: Data())
    }

    @Test("The clocks may be 15 minutes apart") func window() throws {
        try admit(.plain, at: Self.noon + 900)
        try admit(.plain, at: Self.noon - 900)
        let late = #expect(throws: AWSError.self) { try admit(.plain, at: Self.noon + 901) }
        #expect(
            late?.message
                == "Signature expired: 20260301T120000Z is now earlier than 20260301T120001Z (20260301T121501Z - 15 min.)"
        )
        let early = #expect(throws: AWSError.self) { try admit(.plain, at: Self.noon - 901) }
        #expect(
            early?.message
                == "Signature not yet current: 20260301T120000Z is still later than 20260301T115959Z (20260301T114459Z + 15 min.)"
        )
        #expect(early?.code == "SignatureDoesNotMatch")
    }

    @Test("A URL that was signed in advance holds as long as it says") func presigned() throws {
        let url =
            "/?Action=ListTopics&Version=2010-03-31&X-Amz-Algorithm=AWS4-HMAC-SHA256"
            + "&X-Amz-Credential=AKIDEXAMPLE%2F20260301%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20260301T120000Z"
            + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
            + "&X-Amz-Signature=2de7ac9227f91caf5d3f3e95d43bae1b861585a6cf4bfcaddcc5ab55326a67b5"
        func admit(_ path: String, at now: Int) throws(AWSError) {
            try Gatekeeper(key: Self.key, now: { now }).admit(Self.request(.GET, path), body: Data())
        }
        try admit(url, at: Self.noon + 60)
        for (path, now, code) in [
            (url, Self.noon + 61, "SignatureDoesNotMatch"),
            (url.replacing("ListTopics", with: "DeleteTopic"), Self.noon, "SignatureDoesNotMatch"),
            (url.replacing("Expires=60", with: "Expires=604801"), Self.noon, "IncompleteSignature"),
            (url.replacing("X-Amz-Date", with: "X-Date"), Self.noon, "IncompleteSignature"),
        ] {
            let error = #expect(throws: AWSError.self) { try admit(path, at: now) }
            #expect(error?.code == code, "\(path)")
        }
    }
}
