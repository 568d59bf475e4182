import Foundation
import Testing

@testable import Broker

/// What SDKs check or take apart. The digests of attributes were recorded on Amazon.
struct WireFormatTests {
    private func text(_ value: String) -> MessageAttribute { .init(type: "String", value: .text(value)) }

    @Test func digests() {
        #expect(Digest.md5(of: "msg") == "6e2baaf3b97dbeef01c0043275f9a0e7")
        #expect(Digest.md5(of: ["Foo": text("Bar")]) == "ae7155c6026991b6d54b11589678bf9c")
        let all = ["Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")]
        #expect(Digest.md5(of: all) == "4c360f3fdafd970e05fae2f149d997f5")
        let binary = Data("traceparent\u{1e}00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01".utf8)
        #expect(
            Digest.md5(of: ["attr1": .init(type: "Binary", value: .binary(binary))])
                == "8cbe4db156db8a94db8b801b7addb984")
        #expect(Digest.md5(of: [:]) == nil)
    }

    @Test func selectedAttributesHaveTheirOwnDigest() throws {
        let content = MessageContent(
            body: "msg", attributes: ["Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")],
            sender: "me")
        func digest(_ names: [String]) -> String? {
            AttributeSelection(system: [], message: names).choose(from: content)?.digest
        }
        #expect(digest(["All"]) == "4c360f3fdafd970e05fae2f149d997f5")
        #expect(digest([".*"]) == "4c360f3fdafd970e05fae2f149d997f5")
        #expect(digest(["Hello", "General"]) == "fca026605781cb4126a1e9044df24232")
        #expect(digest(["Hello", "nope"]) == "a311262e065454b75da111d535b8dacd")
        #expect(digest(["Hel.*"]) == "83fee93c1bcd8b9a5a923ffacdc636c7")
        #expect(digest(["nope"]) == nil)
        #expect(digest([]) == nil)
    }

    @Test(.timeLimit(.minutes(1))) func manyNamesTakeNoTimeToSpeakOf() {
        let attributes = (0..<10).map { ("name-\($0)", text("x")) }
        let content = MessageContent(
            body: "msg", attributes: Dictionary(uniqueKeysWithValues: attributes), sender: "me")
        let selection = AttributeSelection(system: [], message: (0..<200_000).map { "other-\($0).*" } + ["name-7.*"])
        let one = AttributeSelection(system: [], message: ["name-7"]).choose(from: content)
        for _ in 0..<300 { #expect(selection.choose(from: content)?.digest == one?.digest) }
    }

    @Test func attributesComeBackFromTheirStoredForm() throws {
        let attributes = [
            "a": text("quote \" backslash \\ newline \n bell-free ☃ 𝄞"),
            "n": MessageAttribute(type: "Number.int", value: .text("12")),
            "b": MessageAttribute(type: "Binary", value: .binary(Data([0, 255]))),
        ]
        #expect(try MessageAttribute.decode(MessageAttribute.encode(attributes)) == attributes)
    }

    @Test func receiptHandles() throws {
        let id = MessageID.make()
        let handle = ReceiptHandle(queue: "work", sequence: 7_000_000_000, messageID: id, receipt: .max - 1)
        #expect(try ReceiptHandle(handle.text, queue: "work") == handle)
        for text in [handle.text + "A", "", "x", "AAAA", String(repeating: "A", count: 5000)] {
            #expect(throws: AWSError.self) { try ReceiptHandle(text, queue: "work") }
        }
        #expect(throws: AWSError.self) { try ReceiptHandle(handle.text, queue: "other") }
    }

    @Test func forms() throws {
        let form = try FormParameters(
            parsing: "A=1+2%26&L.member.2.Id=b&L.member.1.Id=a&M.entry.1.key=k&M.entry.1.value=%E2%98%83&E=".utf8)
        #expect(form["A"] == "1 2&")
        #expect(form["E"] == "")
        #expect(form.items("L").map { $0["Id"] } == ["a", "b"])
        #expect(form.map("M") == ["k": "☃"])
        for text in ["a=%", "a=%2", "a=%zz", "a=%ff"] {
            #expect(throws: AWSError.self) { try FormParameters(parsing: text.utf8) }
        }
        let many = (0..<5000).map { "k\($0)=v" }.joined(separator: "&")
        #expect(throws: AWSError.self) { try FormParameters(parsing: many.utf8) }
    }

    @Test func textsInJSON() throws {
        let ascii = String(String.UnicodeScalarView((0...127).map { (byte: UInt8) in Unicode.Scalar(byte) }))
        for text in ["", "plain", ascii + "é☃𝄞", String(repeating: "\u{1F}", count: 5000)] {
            var json = JSONWriter()
            json.string(text)
            #expect(try JSONDecoder().decode(String.self, from: Data(json.bytes)) == text)
        }
    }

    @Test func messageText() throws {
        try MessageText.check("tab\t line\r\n ☃ 𝄞 \u{FFFD}", "it")
        for text in ["\u{0}", "\u{1F}", "\u{FFFE}", "a\u{FFFF}"] {
            #expect(throws: AWSError.self) { try MessageText.check(text, "it") }
        }
    }

    @Test func queueAttributes() throws {
        let attributes = try QueueAttributes(checking: ["VisibilityTimeout": "5"])
        #expect(attributes.visibilityTimeout == 5000)
        #expect(attributes["MessageRetentionPeriod"] == "345600")
        #expect(try attributes.firstDifference(from: QueueAttributes(checking: ["DelaySeconds": "0"])) == nil)
        #expect(
            try attributes.firstDifference(from: QueueAttributes(checking: ["DelaySeconds": "1"])) == "DelaySeconds")
        let policy = #"{"deadLetterTargetArn":"arn:aws:sqs:r:1:dlq","maxReceiveCount":"3"}"#
        let redriven = try attributes.merging(QueueAttributes(checking: ["RedrivePolicy": policy]))
        #expect(redriven.redrivePolicy?.queue == "dlq" && redriven.redrivePolicy?.maxReceiveCount == 3)
        let removed = redriven.merging(try QueueAttributes(checking: ["RedrivePolicy": ""]))
        #expect(removed.redrivePolicy == nil)
        for policy in [
            "x", "{}", #"{"deadLetterTargetArn":"dummy","maxReceiveCount":3}"#,
            #"{"deadLetterTargetArn":"arn:aws:sqs:r:1:dlq","maxReceiveCount":0}"#,
        ] {
            #expect(throws: AWSError.self) { try QueueAttributes(checking: ["RedrivePolicy": policy]) }
        }
    }

    @Test func regions() {
        let header =
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/ap-south-1/sqs/aws4_request, SignedHeaders=host, Signature=x"
        #expect(Caller.region(inAuthorization: header) == "ap-south-1")
        #expect(Caller.region(inAuthorization: "Basic abc") == nil)
        #expect(Caller.region(inAuthorization: "Credential=a/b") == nil)
    }
}
