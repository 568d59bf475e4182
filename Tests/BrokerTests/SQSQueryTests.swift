import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

@testable import Broker

/// SQS in the Query protocol.
struct SQSQueryTests {
    private func call(
        _ broker: BrokerFixture, _ action: String, _ parameters: [(String, String)], path: String = "/"
    ) async throws -> (status: Int, xml: String) {
        let form = ([("Action", action), ("Version", "2012-11-05")] + parameters).map { name, value in
            name + "=" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
        let response = try await broker.client.execute(
            uri: path, method: .post, headers: [.contentType: "application/x-www-form-urlencoded"],
            body: ByteBuffer(string: form.joined(separator: "&")))
        return (response.status.code, String(buffer: response.body))
    }

    private func element(_ name: String, in xml: String) -> String? {
        guard let start = xml.range(of: "<\(name)>"), let end = xml.range(of: "</\(name)>") else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }

    @Test func parametersByTheirNames() throws {
        let form = try FormParameters(parsing: "A.1.Id=x&B=z&A.2.Id=y&A.1.Value=1.5&C.Id=w&B=last&D.=&.=".utf8)
        let parameters = form.byName
        #expect(Set(parameters.keys) == ["A", "B", "C", "D", ""])
        #expect(parameters["A"]?.numbered.map { $0["Id"] } == ["x", "y"])
        #expect(parameters["A"]?.numbered.first?["Value"] == "1.5")
        #expect(parameters["B"]?[""] == "last" && parameters["B"]?.numbered.isEmpty == true)
        #expect(parameters["C"]?.numbered.first?["Id"] == "w", "one alone needs no number")
    }

    @Test func sendReceiveDelete() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let created = try await call(
                broker, "CreateQueue",
                [
                    ("QueueName", "work"), ("Attribute.1.Name", "VisibilityTimeout"), ("Attribute.1.Value", "60"),
                    ("Tag.1.Key", "team"), ("Tag.1.Value", "one"),
                ])
            #expect(created.xml.hasPrefix("<CreateQueueResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"))
            let url = try #require(element("QueueUrl", in: created.xml))
            #expect(url.hasSuffix("/000000000000/work"))
            let sent = try await call(
                broker, "SendMessage",
                [
                    ("QueueUrl", url), ("MessageBody", "a <b> & c"), ("DelaySeconds", "0"),
                    ("MessageAttribute.1.Name", "Foo"), ("MessageAttribute.1.Value.DataType", "String"),
                    ("MessageAttribute.1.Value.StringValue", "Bar"),
                ])
            #expect(element("MD5OfMessageAttributes", in: sent.xml) == "ae7155c6026991b6d54b11589678bf9c")
            let received = try await call(
                broker, "ReceiveMessage",
                [("AttributeName.1", "All"), ("MessageAttributeName.1", "Foo"), ("MaxNumberOfMessages", "10")],
                path: "/000000000000/work")
            #expect(element("Body", in: received.xml) == "a &lt;b&gt; &amp; c")
            #expect(
                received.xml.contains("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"))
            #expect(
                received.xml.contains(
                    "<MessageAttribute><Name>Foo</Name><Value><DataType>String</DataType><StringValue>Bar</StringValue></Value></MessageAttribute>"
                ))
            let handle = try #require(element("ReceiptHandle", in: received.xml))
            let deleted = try await call(
                broker, "DeleteMessageBatch",
                [
                    ("QueueUrl", url), ("DeleteMessageBatchRequestEntry.1.Id", "one"),
                    ("DeleteMessageBatchRequestEntry.1.ReceiptHandle", handle),
                    ("DeleteMessageBatchRequestEntry.2.Id", "two"),
                    ("DeleteMessageBatchRequestEntry.2.ReceiptHandle", "x"),
                ])
            #expect(element("DeleteMessageBatchResultEntry", in: deleted.xml) == "<Id>one</Id>")
            #expect(element("BatchResultErrorEntry", in: deleted.xml)?.contains("ReceiptHandleIsInvalid") == true)
            let attributes = try await call(
                broker, "GetQueueAttributes", [("QueueUrl", url), ("AttributeName.1", "VisibilityTimeout")])
            #expect(attributes.xml.contains("<Attribute><Name>VisibilityTimeout</Name><Value>60</Value></Attribute>"))
            let tags = try await call(broker, "ListQueueTags", [("QueueUrl", url)])
            #expect(tags.xml.contains("<Tag><Key>team</Key><Value>one</Value></Tag>"))
            #expect(try await call(broker, "ListQueues", []).xml.contains("<QueueUrl>\(url)</QueueUrl>"))
        }
    }

    @Test(
        arguments: [
            (
                "SendMessage", [("QueueUrl", "http://x/1/none"), ("MessageBody", "x")],
                "AWS.SimpleQueueService.NonExistentQueue"
            ),
            ("SendMessage", [("QueueUrl", "http://x/1/work")], "MissingParameter"),
            (
                "ReceiveMessage", [("QueueUrl", "http://x/1/work"), ("MaxNumberOfMessages", "many")],
                "SerializationException"
            ),
            (
                "ReceiveMessage", [("QueueUrl", "http://x/1/work"), ("MaxNumberOfMessages", "11")],
                "InvalidParameterValue"
            ),
            ("Frobnicate", [], "InvalidAction"),
        ] as [(String, [(String, String)], String)])
    func refused(action: String, parameters: [(String, String)], code: String) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.queue("work")
            let answer = try await call(broker, action, parameters)
            #expect(answer.status == 400)
            #expect(element("Code", in: answer.xml) == code)
        }
    }
}
