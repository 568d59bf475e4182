import Foundation
import Testing

@testable import Broker

/// FIFO topics over HTTP.
struct FIFOTopicTests {
    private static let topic = "arn:aws:sns:us-east-1:000000000000:events.fifo"

    private func create(_ broker: BrokerFixture, _ attributes: [(String, String)]) async throws {
        var parameters = [("Name", "events.fifo")]
        for (index, attribute) in ([("FifoTopic", "true")] + attributes).enumerated() {
            parameters.append(("Attributes.entry.\(index + 1).key", attribute.0))
            parameters.append(("Attributes.entry.\(index + 1).value", attribute.1))
        }
        #expect(try await broker.sns("CreateTopic", parameters).status == 200)
    }

    private func subscribe(
        _ queue: String, _ broker: BrokerFixture, topic: String = topic, isRaw: Bool = true
    ) async throws -> Int {
        try await broker.sns(
            "Subscribe",
            [
                ("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:\(queue)"),
                ("Attributes.entry.1.key", "RawMessageDelivery"), ("Attributes.entry.1.value", "\(isRaw)"),
            ]
        ).status
    }

    private func publish(
        _ message: String, _ more: [(String, String)], _ broker: BrokerFixture
    ) async throws -> (status: Int, xml: String) {
        try await broker.sns("Publish", [("TopicArn", Self.topic), ("Message", message)] + more)
    }

    private func element(_ name: String, in xml: String) -> String? {
        guard let start = xml.range(of: "<\(name)>"), let end = xml.range(of: "</\(name)>") else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }

    @Test func groupsAreDeliveredInOrderAndOnce() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: ManualClock()) { broker in
            try await create(broker, [("ContentBasedDeduplication", "true")])
            let raw = try await broker.queue("raw.fifo", #"{"FifoQueue":"true"}"#)
            let wrapped = try await broker.queue("wrapped.fifo", #"{"FifoQueue":"true"}"#)
            let standard = try await broker.queue("standard")
            #expect(try await subscribe("raw.fifo", broker) == 200)
            #expect(try await subscribe("wrapped.fifo", broker, isRaw: false) == 200)
            #expect(try await subscribe("standard", broker) == 200)
            var numbers: [String] = []
            for message in ["1", "2", "3", "2"] {
                let published = try await publish(message, [("MessageGroupId", "a")], broker)
                numbers.append(element("SequenceNumber", in: published.xml) ?? "")
            }
            #expect(numbers[3] == numbers[1] && Set(numbers).count == 3)
            #expect(numbers[0] < numbers[1] && numbers[1] < numbers[2])
            #expect(try await broker.bodies(of: raw) == ["1", "2", "3"])
            #expect(try await broker.bodies(of: standard).sorted() == ["1", "2", "3"])
            let received = try await broker.sqs(
                "ReceiveMessage", #"{\#(wrapped),"MaxNumberOfMessages":10,"AttributeNames":["All"]}"#)
            let envelopes = try received.messages.map {
                try JSONValue(parsing: $0["Body"]?.string ?? "").object ?? [:]
            }
            #expect(envelopes.map { $0["Message"]?.string } == ["1", "2", "3"])
            #expect(envelopes.map { $0["SequenceNumber"]?.string } == Array(numbers.prefix(3)))
            #expect(received.messages.first?["Attributes"]?.object?["MessageGroupId"] == .string("a"))
        }
    }

    @Test func aQueueDropsWhatItHasFromElsewhere() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: ManualClock()) { broker in
            try await create(broker, [("FifoThroughputScope", "MessageGroup")])
            let queue = try await broker.queue("work.fifo", #"{"FifoQueue":"true"}"#)
            #expect(try await subscribe("work.fifo", broker) == 200)
            let sent = try await broker.sqs(
                "SendMessage",
                #"{\#(queue),"MessageBody":"by hand","MessageGroupId":"a","MessageDeduplicationId":"1"}"#)
            #expect(sent.status == 200)
            for (message, group) in [("x", "a"), ("y", "b")] {
                let published = try await publish(
                    message, [("MessageGroupId", group), ("MessageDeduplicationId", "2")], broker)
                #expect(published.status == 200, "ids count for each group by itself")
            }
            let duplicate = try await publish("z", [("MessageGroupId", "a"), ("MessageDeduplicationId", "1")], broker)
            #expect(duplicate.status == 200)
            #expect(try await broker.bodies(of: queue) == ["by hand", "x"], "the queue's scope is the queue")
        }
    }

    @Test func groupsOfStandardTopicsReachTheQueues() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "plain")])
            let topic = "arn:aws:sns:us-east-1:000000000000:plain"
            let queue = try await broker.queue("work")
            #expect(try await subscribe("work", broker, topic: topic) == 200)
            _ = try await broker.queue("work.fifo", #"{"FifoQueue":"true"}"#)
            #expect(try await subscribe("work.fifo", broker, topic: topic) == 400)
            let published = try await broker.sns(
                "Publish", [("TopicArn", topic), ("Message", "x"), ("MessageGroupId", "tenant")])
            #expect(published.status == 200 && !published.xml.contains("SequenceNumber"))
            let received = try await broker.sqs(
                "ReceiveMessage", #"{\#(queue),"MessageSystemAttributeNames":["MessageGroupId"]}"#)
            #expect(received.messages.first?["Attributes"] == .object(["MessageGroupId": .string("tenant")]))
            let refused = try await broker.sns(
                "Publish", [("TopicArn", topic), ("Message", "x"), ("MessageDeduplicationId", "1")])
            #expect(element("Code", in: refused.xml) == "InvalidParameter")
        }
    }

    @Test func refused() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            try await create(broker, [])
            for parameters in [
                [("MessageDeduplicationId", "1")], [("MessageGroupId", "a")],
                [("MessageGroupId", "a b"), ("MessageDeduplicationId", "1")],
            ] {
                let answer = try await publish("x", parameters, broker)
                #expect(element("Code", in: answer.xml) == "InvalidParameter")
            }
            for parameters in [
                [("Name", "a.fifo")],
                [("Name", "a"), ("Attributes.entry.1.key", "FifoTopic"), ("Attributes.entry.1.value", "true")],
                [
                    ("Name", "a"), ("Attributes.entry.1.key", "ContentBasedDeduplication"),
                    ("Attributes.entry.1.value", "true"),
                ],
            ] {
                #expect(element("Code", in: try await broker.sns("CreateTopic", parameters).xml) == "InvalidParameter")
            }
            let described = try await broker.sns("GetTopicAttributes", [("TopicArn", Self.topic)])
            #expect(described.xml.contains("<key>FifoTopic</key><value>true</value>"))
            #expect(described.xml.contains("<key>ContentBasedDeduplication</key><value>false</value>"))
        }
    }
}
