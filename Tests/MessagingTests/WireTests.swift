import Foundation
import Testing

@testable import Messaging

@Suite("Signing requests and reading answers") struct WireTests {
    private let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    @Test("AWS's own test vector: post-vanilla of the Signature Version 4 test suite") func publishedVector() {
        let signed = SigV4(credentials: credentials, region: "us-east-1", service: "service").sign(
            headers: ["host": "example.amazonaws.com"], body: Data(), at: Date(timeIntervalSince1970: 1_440_938_160))
        #expect(signed["x-amz-date"] == "20150830T123600Z")
        #expect(
            signed["authorization"]
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, "
                + "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
    }

    /// The signatures are what botocore's `SigV4Auth` makes of the same requests.
    @Test(
        "Requests are signed as botocore signs them",
        arguments: [
            (
                "sqs", ["content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"],
                #"{"QueueUrl":"http://127.0.0.1:4566/000000000000/order","MessageBody":"Zöe"}"#,
                "content-type;host;x-amz-date;x-amz-target",
                "ec27336a8813a720b15a34247d90f01b4ee3e2c409e4c672a2b66ca79cbe7fee"
            ),
            (
                "sns", ["content-type": "application/x-www-form-urlencoded; charset=utf-8"],
                "Action=CreateTopic&Version=2010-03-31&Name=order-events", "content-type;host;x-amz-date",
                "f2f5b23fc9505c7c896e1d4df5ec774259f85f0a4237b1092cabb439e1636088"
            ),
        ] as [(String, [String: String], String, String, String)])
    func botocore(
        service: String, headers: [String: String], body: String, signedHeaders: String, signature: String
    ) {
        let signed = SigV4(credentials: credentials, region: "us-east-1", service: service).sign(
            headers: headers.merging(["host": "127.0.0.1:4566"]) { $1 }, body: Data(body.utf8),
            at: Date(timeIntervalSince1970: 1_772_366_400))
        #expect(
            signed["authorization"]
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/us-east-1/\(service)/aws4_request, "
                + "SignedHeaders=\(signedHeaders), Signature=\(signature)")
    }

    @Test("An answer of SNS is read with its nesting, entities and empty elements") func xml() throws {
        let document = """
            <?xml version="1.0"?>
            <PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>
              <Successful><member><Id>0</Id><MessageId>m</MessageId></member><member><Id>2</Id></member></Successful>
              <Failed><member><Id>1</Id><Message>a &lt;b&gt; &amp;amp; &quot;c&quot; &#39;d&apos;</Message></member></Failed>
              <Nothing/>
            </PublishBatchResult></PublishBatchResponse>
            """
        let root = try #require(XMLElement(parsing: document))
        #expect(root.name == "PublishBatchResponse")
        #expect(root.first("Successful")?.children.compactMap { $0.text(of: "Id") } == ["0", "2"])
        #expect(root.first("Failed")?.text(of: "Message") == #"a <b> &amp; "c" 'd'"#)
        #expect(root.first("Nothing")?.text == "")
        #expect(root.first("Elsewhere") == nil)
    }

    @Test("What isn't well formed isn't read", arguments: ["", "text", "<a>", "<a></b>", "<a", "</a>", "{}", "<a/>"])
    func malformedXML(document: String) { #expect(XMLElement(parsing: document) == nil) }

    @Test("Durations are rounded up to the whole seconds of SQS") func wholeSeconds() {
        #expect(Duration.zero.wholeSeconds == 0)
        #expect(Duration.milliseconds(1).wholeSeconds == 1)
        #expect(Duration.seconds(2).wholeSeconds == 2)
        #expect(Duration.seconds(2.001).wholeSeconds == 3)
    }
}
