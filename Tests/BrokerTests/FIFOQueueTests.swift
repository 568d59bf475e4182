import Foundation
import Testing

@testable import Broker

/// FIFO queues over HTTP.
struct FIFOQueueTests {
    private static let byContent = #"{"FifoQueue":"true","ContentBasedDeduplication":"true"}"#

    private func send(
        _ body: String, _ group: String, to queue: String, _ broker: BrokerFixture, _ more: String = ""
    ) async throws -> BrokerFixture.Answer {
        let sent = try await broker.sqs(
            "SendMessage", #"{\#(queue),"MessageBody":"\#(body)","MessageGroupId":"\#(group)"\#(more)}"#)
        #expect(sent.status == 200)
        return sent
    }

    @Test func groupsAreLockedAndInOrder() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: ManualClock()) { broker in
            let queue = try await broker.queue("work.fifo", Self.byContent)
            var numbers: [String] = []
            for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")] {
                numbers.append(try await send(body, group, to: queue, broker)["SequenceNumber"]?.string ?? "")
            }
            #expect(numbers == numbers.sorted() && Set(numbers).count == 4)
            #expect(numbers.allSatisfy { $0.utf8.count == 20 })
            let first = try await broker.sqs(
                "ReceiveMessage", #"{\#(queue),"MaxNumberOfMessages":2,"AttributeNames":["All"]}"#)
            #expect(first.messages.map { $0["Body"]?.string } == ["a1", "a2"])
            let attributes = first.messages[0]["Attributes"]?.object
            #expect(attributes?["MessageGroupId"] == .string("a"))
            #expect(attributes?["SequenceNumber"] == .string(numbers[0]))
            #expect(attributes?["MessageDeduplicationId"] == .string(Digest.sha256(of: "a1")))
            #expect(try await broker.bodies(of: queue) == ["b1"], "a is locked, b isn't")
            for message in first.messages {
                #expect(try await broker.bodies(of: queue).isEmpty, "a is locked while one of it is in flight")
                let handle = message["ReceiptHandle"]?.string ?? ""
                #expect(
                    try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handle)"}"#).status == 200)
            }
            #expect(try await broker.bodies(of: queue) == ["a3"])
        }
    }

    @Test func duplicatesAreAnsweredLikeTheFirst() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            let queue = try await broker.queue("work.fifo", Self.byContent)
            let first = try await send("x", "a", to: queue, broker)
            let second = try await send("x", "b", to: queue, broker)
            #expect(second["MessageId"] == first["MessageId"])
            #expect(second["SequenceNumber"] == first["SequenceNumber"])
            _ = try await send("x", "a", to: queue, broker, #","MessageDeduplicationId":"other""#)
        }
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            let queue = try await broker.queue("work.fifo", Self.byContent)
            let duplicate = try await send("x", "a", to: queue, broker)
            #expect(try await broker.bodies(of: queue) == ["x", "x"], "it is remembered over a restart")
            clock.advance(seconds: 300)
            let new = try await send("x", "c", to: queue, broker)
            #expect(new["MessageId"] != duplicate["MessageId"], "and forgotten after five minutes")
        }
    }

    @Test func deduplicationCanBeByGroup() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue(
                "work.fifo",
                #"{"FifoQueue":"true","DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}"#)
            for group in ["a", "b", "a"] {
                _ = try await send("x", group, to: queue, broker, #","MessageDeduplicationId":"1""#)
            }
            #expect(try await broker.bodies(of: queue).count == 2)
            let batch = try await broker.sqs(
                "SendMessageBatch",
                #"""
                {\#(queue),"Entries":[
                {"Id":"1","MessageBody":"y","MessageGroupId":"c","MessageDeduplicationId":"2"},
                {"Id":"2","MessageBody":"y","MessageGroupId":"c","MessageDeduplicationId":"2"}]}
                """#)
            let successful = batch["Successful"]?.array?.compactMap(\.object) ?? []
            #expect(successful.count == 2 && successful[0]["SequenceNumber"] == successful[1]["SequenceNumber"])
            #expect(try await broker.bodies(of: queue) == ["y"])
        }
    }

    @Test func whatWasSentCountsAlsoWhenTheScopeOfDeduplicationChanges() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue("work.fifo", #"{"FifoQueue":"true"}"#)
            let id = #","MessageDeduplicationId":"1""#
            _ = try await send("x", "a", to: queue, broker, id)
            _ = try await broker.sqs(
                "SetQueueAttributes", #"{\#(queue),"Attributes":{"DeduplicationScope":"messageGroup"}}"#)
            for group in ["a", "b"] { _ = try await send("x", group, to: queue, broker, id) }
            #expect(try await broker.bodies(of: queue) == ["x"])
        }
    }

    @Test func anAttemptToReceiveCanBeRepeated() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let queue = try await broker.queue("work.fifo", Self.byContent)
            for body in ["1", "2"] { _ = try await send(body, "a", to: queue, broker) }
            let ask = #"{\#(queue),"MaxNumberOfMessages":10,"ReceiveRequestAttemptId":"once","VisibilityTimeout":30}"#
            let first = try await broker.sqs("ReceiveMessage", ask)
            #expect(first.messages.count == 2)
            clock.advance(seconds: 20)
            #expect(try await broker.sqs("ReceiveMessage", ask).json == first.json)
            clock.advance(seconds: 20)
            #expect(try await broker.sqs("ReceiveMessage", ask).json == first.json, "the timeout began anew")
            let handle = first.messages[0]["ReceiptHandle"]?.string ?? ""
            _ = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handle)"}"#)
            #expect(try await broker.sqs("ReceiveMessage", ask).messages.isEmpty, "one of them was deleted")
        }
    }

    @Test func anExpiredReceiptDoesNotDelete() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let queue = try await broker.queue("work.fifo", Self.byContent)
            _ = try await send("x", "a", to: queue, broker)
            let received = try await broker.sqs("ReceiveMessage", #"{\#(queue),"VisibilityTimeout":5}"#)
            let handle = received.messages.first?["ReceiptHandle"]?.string ?? ""
            clock.advance(seconds: 5)
            #expect(try await broker.bodies(of: queue, wait: 20) == ["x"])
            let late = try await broker.sqs("DeleteMessage", #"{\#(queue),"ReceiptHandle":"\#(handle)"}"#)
            #expect(late.code == "InvalidParameterValue")
        }
    }

    @Test func aBacklogOfManyGroupsIsReadInOrder() async throws {
        let folder = try TemporaryFolder()
        let (groups, each) = (300, 20)
        try await BrokerFixture.run(folder: folder) { broker in
            let queue = try await broker.queue("deep.fifo", Self.byContent)
            for index in 0..<(groups * each / 10) {
                let entries = (0..<10).map { entry in
                    let number = index * 10 + entry
                    return
                        #"{"Id":"\#(entry)","MessageBody":"\#(number)","MessageGroupId":"g\#(number % groups)"}"#
                }
                let sent = try await broker.sqs(
                    "SendMessageBatch", #"{\#(queue),"Entries":[\#(entries.joined(separator: ","))]}"#)
                #expect(sent.status == 200)
            }
        }
        try await BrokerFixture.run(folder: folder) { broker in
            let queue = try await broker.queue("deep.fifo", Self.byContent)
            var last: [Int: Int] = [:]
            var count = 0
            while count < groups * each {
                let received = try await broker.sqs(
                    "ReceiveMessage", #"{\#(queue),"MaxNumberOfMessages":10,"WaitTimeSeconds":20}"#)
                try #require(!received.messages.isEmpty)
                var entries: [String] = []
                for (index, message) in received.messages.enumerated() {
                    let number = try #require(message["Body"]?.string.flatMap { Int($0) })
                    #expect(last[number % groups] ?? -1 < number)
                    last[number % groups] = number
                    count += 1
                    entries.append(#"{"Id":"\#(index)","ReceiptHandle":"\#(message["ReceiptHandle"]?.string ?? "")"}"#)
                }
                let deleted = try await broker.sqs(
                    "DeleteMessageBatch", #"{\#(queue),"Entries":[\#(entries.joined(separator: ","))]}"#)
                #expect(deleted["Failed"] == nil)
            }
            #expect(try await broker.bodies(of: queue).isEmpty)
        }
    }

    @Test func redriveKeepsTheOrder() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let standard = try await broker.queue("dead")
            let dead = try await broker.queue("dead.fifo", #"{"FifoQueue":"true"}"#)
            func policy(_ queue: String) -> String {
                #"{\"deadLetterTargetArn\":\"arn:aws:sqs:x:1:\#(queue)\",\"maxReceiveCount\":1}"#
            }
            let wrong = try await broker.sqs(
                "CreateQueue",
                #"{"QueueName":"work.fifo","Attributes":{"FifoQueue":"true","RedrivePolicy":"\#(policy("dead"))"}}"#)
            #expect(wrong.code == "InvalidParameterValue", "\(standard) is no FIFO queue")
            let queue = try await broker.queue(
                "work.fifo",
                #"{"FifoQueue":"true","ContentBasedDeduplication":"true","VisibilityTimeout":"5","RedrivePolicy":"\#(policy("dead.fifo"))"}"#
            )
            for body in ["1", "2", "3"] { _ = try await send(body, "a", to: queue, broker) }
            for expected in ["1", "2", "3"] {
                let received = try await broker.sqs("ReceiveMessage", #"{\#(queue),"WaitTimeSeconds":20}"#)
                #expect(received.messages.first?["Body"] == .string(expected))
                clock.advance(seconds: 5)
            }
            async let none = broker.bodies(of: queue, wait: 20)
            var moved: [String] = []
            while moved.count < 3 {
                let received = try await broker.sqs(
                    "ReceiveMessage", #"{\#(dead),"WaitTimeSeconds":20,"AttributeNames":["SequenceNumber"]}"#)
                for message in received.messages {
                    moved.append(message["Body"]?.string ?? "")
                    let handle = message["ReceiptHandle"]?.string ?? ""
                    _ = try await broker.sqs("DeleteMessage", #"{\#(dead),"ReceiptHandle":"\#(handle)"}"#)
                }
            }
            #expect(moved == ["1", "2", "3"])
            clock.advance(seconds: 20)
            #expect(try await none.isEmpty)
        }
    }

    @Test(arguments: [
        ("SendMessage", #""MessageBody":"x","MessageDeduplicationId":"1""#, "MissingParameter"),
        ("SendMessage", #""MessageBody":"x","MessageGroupId":"a""#, "InvalidParameterValue"),
        (
            "SendMessage", #""MessageBody":"x","MessageGroupId":"a b","MessageDeduplicationId":"1""#,
            "InvalidParameterValue"
        ),
        (
            "SendMessage", #""MessageBody":"x","MessageGroupId":"a","MessageDeduplicationId":"1","DelaySeconds":1"#,
            "InvalidParameterValue"
        ),
        ("ReceiveMessage", #""ReceiveRequestAttemptId":"a b""#, "InvalidParameterValue"),
        ("ReceiveMessage", #""AttributeNames":["Nope"]"#, "InvalidAttributeName"),
        ("SetQueueAttributes", #""Attributes":{"FifoQueue":"false"}"#, "InvalidAttributeValue"),
        ("SetQueueAttributes", #""Attributes":{"FifoThroughputLimit":"perMessageGroupId"}"#, "InvalidAttributeValue"),
        ("SetQueueAttributes", #""Attributes":{"DeduplicationScope":"world"}"#, "InvalidAttributeValue"),
    ])
    func refused(operation: String, input: String, code: String) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue("work.fifo", #"{"FifoQueue":"true"}"#)
            #expect(try await broker.sqs(operation, "{\(queue),\(input)}").code == code)
        }
    }

    @Test func attributesHaveTheirDefaults() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue("work.fifo", #"{"FifoQueue":"true"}"#)
            let answer = try await broker.sqs("GetQueueAttributes", #"{\#(queue),"AttributeNames":["All"]}"#)
            let attributes = answer["Attributes"]?.object
            #expect(attributes?["FifoQueue"] == .string("true"))
            #expect(attributes?["ContentBasedDeduplication"] == .string("false"))
            #expect(attributes?["DeduplicationScope"] == .string("queue"))
            #expect(attributes?["FifoThroughputLimit"] == .string("perQueue"))
            let standard = try await broker.queue("work")
            let other = try await broker.sqs("GetQueueAttributes", #"{\#(standard),"AttributeNames":["All"]}"#)
            #expect(other["Attributes"]?.object?["FifoQueue"] == nil)
        }
    }
}
