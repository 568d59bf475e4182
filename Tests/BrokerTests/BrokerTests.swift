import Foundation
import Synchronization
import Testing

@testable import Broker

/// The broker over HTTP.
struct BrokerTests {
    @Test func sendReceiveDelete() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue("work")
            #expect(queue.hasSuffix("/000000000000/work\""))
            let sent = try await broker.sqs(
                "SendMessage",
                #"{\#(queue),"MessageBody":"msg","MessageAttributes":{"Foo":{"DataType":"String","StringValue":"Bar"}}}"#
            )
            #expect(sent["MD5OfMessageBody"] == .string("6e2baaf3b97dbeef01c0043275f9a0e7"))
            #expect(sent["MD5OfMessageAttributes"] == .string("ae7155c6026991b6d54b11589678bf9c"))
            let received = try await broker.sqs(
                "ReceiveMessage", #"{\#(queue),"AttributeNames":["All"],"MessageAttributeNames":["Fo.*"]}"#)
            let message = try #require(received.messages.first)
            #expect(message["MessageId"] == sent["MessageId"])
            #expect(message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"])
            #expect(message["Attributes"]?.object?["ApproximateReceiveCount"] == .string("1"))
            #expect(try await broker.bodies(of: queue).isEmpty)
            let handle = message["ReceiptHandle"]?.string ?? ""
            let deleted = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handle)"}"#)
            #expect(deleted.status == 200)
            let again = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handle)"}"#)
            #expect(again.status == 200, "deleting what is gone is no error")
        }
    }

    @Test func sendWakesALongPoll() async throws {
        // The clock stands still, so the poll ends only because of the message.
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: ManualClock()) { broker in
            let queue = try await broker.queue("work")
            async let received = broker.bodies(of: queue, wait: 20)
            try await broker.send("hello", to: queue)
            #expect(try await received == ["hello"])
        }
    }

    @Test func aLongPollEndsWithItsTime() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let queue = try await broker.queue("work")
            let ended = try await withThrowingTaskGroup(of: [String]?.self) { group in
                group.addTask { try await broker.bodies(of: queue, wait: 2) }
                group.addTask {
                    while !Task.isCancelled {
                        clock.advance(seconds: 1)
                        await Task.yield()
                    }
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            #expect(ended == [])
        }
    }

    @Test func aMessageThatFailsMovesToTheDeadLetterQueue() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let dead = try await broker.queue("work-dlq")
            let policy = #"{\"deadLetterTargetArn\":\"arn:aws:sqs:x:1:work-dlq\",\"maxReceiveCount\":\"2\"}"#
            let queue = try await broker.queue("work", #"{"VisibilityTimeout":"5","RedrivePolicy":"\#(policy)"}"#)
            try await broker.send("poison", to: queue)
            for _ in 0..<2 {
                #expect(try await broker.bodies(of: queue, wait: 20) == ["poison"])
                clock.advance(seconds: 5)
            }
            async let none = broker.bodies(of: queue, wait: 20)
            let received = try await broker.sqs(
                "ReceiveMessage", #"{\#(dead),"WaitTimeSeconds":20,"AttributeNames":["All"]}"#)
            let attributes = received.messages.first?["Attributes"]?.object
            #expect(received.messages.first?["Body"] == .string("poison"))
            #expect(attributes?["DeadLetterQueueSourceArn"] == .string("arn:aws:sqs:eu-west-1:000000000000:work"))
            #expect(attributes?["ApproximateReceiveCount"] == .string("3"))
            clock.advance(seconds: 20)
            #expect(try await none.isEmpty)
        }
    }

    @Test func delaysHoldMessagesBack() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let queue = try await broker.queue("slow", #"{"DelaySeconds":"10"}"#)
            try await broker.send("by queue", to: queue)
            try await broker.send("by message", to: queue, #","DelaySeconds":3"#)
            #expect(try await broker.bodies(of: queue).isEmpty)
            clock.advance(seconds: 3)
            #expect(try await broker.bodies(of: queue) == ["by message"])
            clock.advance(seconds: 7)
            #expect(try await broker.bodies(of: queue) == ["by queue"])
        }
    }

    @Test func changedVisibilityIsKeptOverARestart() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            let queue = try await broker.queue("work")
            try await broker.send("later", to: queue)
            let received = try await broker.sqs("ReceiveMessage", "{\(queue)}")
            let handle = received.messages.first?["ReceiptHandle"]?.string ?? ""
            let changed = try await broker.sqs(
                "ChangeMessageVisibility", #"{\#(queue),"ReceiptHandle":"\#(handle)","VisibilityTimeout":60}"#)
            #expect(changed.status == 200)
        }
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            let queue = try await broker.queue("work")
            #expect(try await broker.bodies(of: queue).isEmpty, "the backoff outlives the process")
            clock.advance(seconds: 60)
            let received = try await broker.sqs("ReceiveMessage", #"{\#(queue),"AttributeNames":["All"]}"#)
            #expect(received.messages.first?["Attributes"]?.object?["ApproximateReceiveCount"] == .string("2"))
        }
    }

    @Test func whatWasAcknowledgedSurvives() async throws {
        let folder = try TemporaryFolder()
        let oldHandle = Mutex("")
        try await BrokerFixture.run(folder: folder) { broker in
            let queue = try await broker.queue("work", #"{"VisibilityTimeout":"600"}"#)
            for body in ["a", "b", "c"] { try await broker.send(body, to: queue) }
            let received = try await broker.sqs("ReceiveMessage", #"{\#(queue),"MaxNumberOfMessages":2}"#)
            let handles = received.messages.compactMap { $0["ReceiptHandle"]?.string }
            _ = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handles[0])"}"#)
            oldHandle.withLock { $0 = handles[1] }
        }
        try await BrokerFixture.run(folder: folder) { broker in
            let queue = try await broker.queue("work")
            #expect(
                try await broker.bodies(of: queue) == ["b", "c"], "in flight was only in memory; deleted stays deleted")
            _ = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(oldHandle.withLock(\.self))"}"#)
        }
        try await BrokerFixture.run(folder: folder) { broker in
            let queue = try await broker.queue("work")
            #expect(try await broker.bodies(of: queue) == ["c"], "a handle from before the restart deletes")
        }
    }

    @Test func publishFansOutToTheQueuesThatWantIt() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let (raw, wrapped, other) = (
                try await broker.queue("raw"), try await broker.queue("wrapped"), try await broker.queue("other")
            )
            let created = try await broker.sns("CreateTopic", [("Name", "events")])
            let topic = "arn:aws:sns:us-east-1:000000000000:events"
            #expect(created.xml.contains("<TopicArn>\(topic)</TopicArn>"))
            for (queue, attributes) in [
                ("raw", ["RawMessageDelivery": "true", "FilterPolicy": #"{"type":["a"]}"#]), ("wrapped", [:]),
                ("other", ["FilterPolicy": #"{"type":["b"]}"#]),
            ] {
                var parameters = [
                    ("TopicArn", topic), ("Protocol", "sqs"),
                    ("Endpoint", "arn:aws:sqs:us-east-1:000000000000:\(queue)"),
                ]
                for (index, attribute) in attributes.enumerated() {
                    parameters.append(("Attributes.entry.\(index + 1).key", attribute.key))
                    parameters.append(("Attributes.entry.\(index + 1).value", attribute.value))
                }
                #expect(try await broker.sns("Subscribe", parameters).status == 200)
            }
            let published = try await broker.sns(
                "Publish",
                [
                    ("TopicArn", topic), ("Message", "hi & <bye>"), ("MessageAttributes.entry.1.Name", "type"),
                    ("MessageAttributes.entry.1.Value.DataType", "String"),
                    ("MessageAttributes.entry.1.Value.StringValue", "a"),
                ])
            #expect(published.status == 200)
            #expect(try await broker.bodies(of: raw) == ["hi & <bye>"])
            let envelope = try JSONValue(parsing: try await broker.bodies(of: wrapped).first ?? "").object
            #expect(envelope?["Message"] == .string("hi & <bye>"))
            #expect(envelope?["TopicArn"] == .string(topic))
            let unsubscribe = try #require(envelope?["UnsubscribeURL"]?.string)
            #expect(unsubscribe.contains("SubscriptionArn=\(topic):"))
            #expect(try await broker.bodies(of: other).isEmpty)
            let missing = try await broker.sns("Publish", [("TopicArn", topic + "x"), ("Message", "x")])
            #expect(missing.status == 404 && missing.xml.contains("<Code>NotFound</Code>"))
        }
    }

    @Test func purgedAndDeletedQueuesAreEmpty() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: ManualClock()) { broker in
            let queue = try await broker.queue("work")
            try await broker.send("gone", to: queue)
            #expect(try await broker.sqs("PurgeQueue", "{\(queue)}").status == 200)
            #expect(try await broker.bodies(of: queue).isEmpty)
            #expect(try await broker.sqs("PurgeQueue", "{\(queue)}").status == 403)
            try await broker.send("new", to: queue)
            #expect(try await broker.bodies(of: queue) == ["new"])
            #expect(try await broker.sqs("DeleteQueue", "{\(queue)}").status == 200)
            let sent = try await broker.sqs("SendMessage", #"{\#(queue),"MessageBody":"x"}"#)
            #expect(sent.code == "AWS.SimpleQueueService.NonExistentQueue")
        }
    }

    private static let errorsOfAllServices: Set = [
        "InvalidParameterValue", "InvalidAction", "MissingParameter", "SerializationException",
    ]

    @Test(arguments: [
        ("SendMessage", #"{"MessageBody":"x"}"#, "MissingParameter"),
        (
            "SendMessage", #"{"QueueUrl":"http://x/1/none","MessageBody":"x"}"#,
            "AWS.SimpleQueueService.NonExistentQueue"
        ),
        ("SendMessage", #"{"QueueUrl":7,"MessageBody":"x"}"#, "SerializationException"),
        ("SendMessage", "{", "SerializationException"),
        ("SendMessage", "[1]", "SerializationException"),
        ("CreateQueue", #"{"QueueName":"a b"}"#, "InvalidParameterValue"),
        ("CreateQueue", #"{"QueueName":"a","Attributes":{"Nope":"1"}}"#, "InvalidAttributeName"),
        ("CreateQueue", #"{"QueueName":"a","Attributes":{"DelaySeconds":"901"}}"#, "InvalidAttributeValue"),
        ("CreateQueue", #"{"QueueName":"a.fifo"}"#, "InvalidParameterValue"),
        ("CreateQueue", #"{"QueueName":"a","Attributes":{"FifoQueue":"true"}}"#, "InvalidParameterValue"),
        ("CreateQueue", #"{"QueueName":"a","Attributes":{"DeduplicationScope":"queue"}}"#, "InvalidAttributeName"),
        ("Frobnicate", "{}", "InvalidAction"),
    ])
    func malformedRequests(operation: String, input: String, code: String) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let answer = try await broker.sqs(operation, input)
            #expect(answer.status == 400)
            #expect(answer.code == code)
            let namespace = Self.errorsOfAllServices.contains(code) ? "com.amazon.coral.service" : "com.amazonaws.sqs"
            #expect(answer["__type"]?.string?.hasPrefix("\(namespace)#") == true)
        }
    }
}
