import NIOCore
import NIOHTTP1
import ServiceKit
import Testing

@testable import Broker

@Suite("What gives way") struct RoutesTests {
    @Test(
        "Messages that come in give way to those that go out",
        arguments: [
            ("AmazonSQS.SendMessage", "{}", true), ("AmazonSQS.SendMessageBatch", "{}", true),
            ("AmazonSQS.ReceiveMessage", "{}", false), ("AmazonSQS.DeleteMessageBatch", "{}", false),
            (nil, "Action=Publish&Version=2010-03-31", true), (nil, "Action=PublishBatch&Version=2010-03-31", true),
            (nil, "Action=SendMessage&Version=2012-11-05", true),
            (nil, "Action=ReceiveMessage&Version=2012-11-05", false), (nil, "", false),
        ]) func messages(target: String?, body: String, givesWay: Bool)
    {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")
        if let target { head.headers.add(name: "X-Amz-Target", value: target) }
        #expect(Routes.bringsMessages(DirectRequest(head: head, body: .whole(ByteBuffer(string: body)))) == givesWay)
    }
}
