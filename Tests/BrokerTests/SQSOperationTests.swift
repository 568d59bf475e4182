import Foundation
import Testing

@testable import Broker

/// Operations of SQS other than sending and receiving.
struct SQSOperationTests {
    private func policy(_ queue: String, _ count: Int = 1) -> String {
        #"{\"deadLetterTargetArn\":\"arn:aws:sqs:x:1:\#(queue)\",\"maxReceiveCount\":\#(count)}"#
    }

    @Test func tags() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let created = try await broker.sqs("CreateQueue", #"{"QueueName":"work","tags":{"a":"1"}}"#)
            let queue = #""QueueUrl":"\#(created["QueueUrl"]?.string ?? "")""#
            _ = try await broker.sqs("TagQueue", #"{\#(queue),"Tags":{"a":"2","b":""}}"#)
            #expect(
                try await broker.sqs("ListQueueTags", "{\(queue)}")["Tags"]
                    == .object(["a": .string("2"), "b": .string("")]))
            _ = try await broker.sqs("UntagQueue", #"{\#(queue),"TagKeys":["a","c"]}"#)
            #expect(try await broker.sqs("ListQueueTags", "{\(queue)}")["Tags"] == .object(["b": .string("")]))
            for tags in [#"{"":"1"}"#, #"{"aws:x":"1"}"#] {
                let refused = try await broker.sqs("TagQueue", #"{\#(queue),"Tags":\#(tags)}"#)
                #expect(refused.code == "InvalidParameterValue")
            }
            let many = (0..<50).map { #""k\#($0)":"v""# }.joined(separator: ",")
            let refused = try await broker.sqs("TagQueue", #"{\#(queue),"Tags":{\#(many)}}"#)
            #expect(refused.code == "InvalidParameterValue", "there would be 51")
        }
    }

    @Test func aNameIsFreeAgainAfterAMinute() async throws {
        let clock = ManualClock()
        let folder = try TemporaryFolder()
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            let queue = try await broker.queue("work")
            try await broker.send("x", to: queue)
            #expect(try await broker.sqs("DeleteQueue", "{\(queue)}").status == 200)
            let refused = try await broker.sqs("CreateQueue", #"{"QueueName":"work"}"#)
            #expect(refused.code == "AWS.SimpleQueueService.QueueDeletedRecently")
        }
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            clock.advance(seconds: 59)
            let refused = try await broker.sqs("CreateQueue", #"{"QueueName":"work"}"#)
            #expect(refused.code == "AWS.SimpleQueueService.QueueDeletedRecently", "over a restart as well")
            clock.advance(seconds: 1)
            let queue = try await broker.queue("work")
            #expect(try await broker.bodies(of: queue).isEmpty)
        }
    }

    @Test func whoMayUseADeadLetterQueue() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let dead = try await broker.queue("dead")
            for (allow, accepted) in [
                (#"{\"redrivePermission\":\"denyAll\"}"#, false), (#"{\"redrivePermission\":\"allowAll\"}"#, true),
                (#"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"arn:aws:sqs:x:1:other\"]}"#, false),
                (#"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"arn:aws:sqs:x:1:work\"]}"#, true),
                ("", true),
            ] {
                let set = try await broker.sqs(
                    "SetQueueAttributes", #"{\#(dead),"Attributes":{"RedriveAllowPolicy":"\#(allow)"}}"#)
                #expect(set.status == 200)
                let queue = try await broker.queue("work")
                let answer = try await broker.sqs(
                    "SetQueueAttributes", #"{\#(queue),"Attributes":{"RedrivePolicy":"\#(policy("dead"))"}}"#)
                #expect((answer.status == 200) == accepted, "\(allow)")
            }
            for allow in ["x", #"{\"redrivePermission\":\"some\"}"#, #"{\"redrivePermission\":\"byQueue\"}"#] {
                let set = try await broker.sqs(
                    "SetQueueAttributes", #"{\#(dead),"Attributes":{"RedriveAllowPolicy":"\#(allow)"}}"#)
                #expect(set.code == "InvalidParameterValue")
            }
        }
    }

    /// A queue and its dead-letter queue with messages in it.
    private func deadLetters(_ broker: BrokerFixture, _ clock: ManualClock, count: Int) async throws -> String {
        let dead = try await broker.queue("dead")
        let queue = try await broker.queue("work", #"{"VisibilityTimeout":"5","RedrivePolicy":"\#(policy("dead"))"}"#)
        for index in 0..<count { try await broker.send("\(index)", to: queue) }
        var failed = 0
        while failed < count { failed += try await broker.bodies(of: queue).count }
        clock.advance(seconds: 5)
        async let none = broker.bodies(of: queue, wait: 20)
        while try await visible(dead, broker) < count { await Task.yield() }
        clock.advance(seconds: 20)
        #expect(try await none.isEmpty)
        return dead
    }

    private func visible(_ queue: String, _ broker: BrokerFixture) async throws -> Int {
        let answer = try await broker.sqs(
            "GetQueueAttributes", #"{\#(queue),"AttributeNames":["ApproximateNumberOfMessages"]}"#)
        return Int(answer["Attributes"]?.object?["ApproximateNumberOfMessages"]?.string ?? "") ?? -1
    }

    private func task(_ broker: BrokerFixture, of source: String = "dead") async throws -> [String: JSONValue] {
        let listed = try await broker.sqs("ListMessageMoveTasks", #"{"SourceArn":"arn:aws:sqs:x:1:\#(source)"}"#)
        return listed["Results"]?.array?.first?.object ?? [:]
    }

    private func end(_ broker: BrokerFixture, of source: String = "dead") async throws -> [String: JSONValue] {
        while true {
            let task = try await task(broker, of: source)
            if !["RUNNING", "CANCELLING"].contains(task["Status"]?.string) { return task }
            await Task.yield()
        }
    }

    @Test func deadLettersGoBackToWhereTheyCameFrom() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let dead = try await deadLetters(broker, clock, count: 25)
            let started = try await broker.sqs("StartMessageMoveTask", #"{"SourceArn":"arn:aws:sqs:x:1:dead"}"#)
            #expect(started.status == 200)
            let task = try await end(broker)
            #expect(task["Status"] == .string("COMPLETED"))
            #expect(task["ApproximateNumberOfMessagesMoved"] == .number(25))
            #expect(task["ApproximateNumberOfMessagesToMove"] == .number(25))
            #expect(task["TaskHandle"] == nil && task["DestinationArn"] == nil)
            #expect(try await broker.bodies(of: dead).isEmpty)
            let queue = try await broker.queue("work")
            let received = try await broker.sqs("ReceiveMessage", #"{\#(queue),"AttributeNames":["All"]}"#)
            let attributes = received.messages.first?["Attributes"]?.object
            #expect(attributes?["ApproximateReceiveCount"] == .string("1"), "it is a new message")
            #expect(attributes?["DeadLetterQueueSourceArn"] == nil)
        }
    }

    @Test func aSlowTaskGoesOnAfterARestartAndCanBeCancelled() async throws {
        let clock = ManualClock()
        let folder = try TemporaryFolder()
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            _ = try await deadLetters(broker, clock, count: 10)
            _ = try await broker.queue("elsewhere")
            let start =
                #"{"SourceArn":"arn:aws:sqs:x:1:dead","DestinationArn":"arn:aws:sqs:x:1:elsewhere","MaxNumberOfMessagesPerSecond":2}"#
            #expect(try await broker.sqs("StartMessageMoveTask", start).status == 200)
            while try await task(broker)["ApproximateNumberOfMessagesMoved"] != .number(2) { await Task.yield() }
            #expect(
                try await broker.sqs("StartMessageMoveTask", start).code == "InvalidParameterValue", "one at a time")
        }
        try await BrokerFixture.run(folder: folder, clock: clock) { broker in
            while try await task(broker)["ApproximateNumberOfMessagesMoved"] != .number(4) { await Task.yield() }
            clock.advance(seconds: 1)
            while try await task(broker)["ApproximateNumberOfMessagesMoved"] != .number(6) { await Task.yield() }
            let handle = try await task(broker)["TaskHandle"]?.string ?? ""
            let cancelled = try await broker.sqs("CancelMessageMoveTask", #"{"TaskHandle":"\#(handle)"}"#)
            #expect(cancelled["ApproximateNumberOfMessagesMoved"] == .number(6))
            #expect(try await end(broker)["Status"] == .string("CANCELLED"))
            let again = try await broker.sqs("CancelMessageMoveTask", #"{"TaskHandle":"\#(handle)"}"#)
            #expect(again.code == "AWS.SimpleQueueService.UnsupportedOperation")
            let (left, moved) = (try await broker.queue("dead"), try await broker.queue("elsewhere"))
            #expect(try await visible(left, broker) == 4)
            #expect(try await visible(moved, broker) == 6)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aTaskWaitsForALockedGroup() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let dead = try await broker.queue(
                "dead.fifo", #"{"FifoQueue":"true","ContentBasedDeduplication":"true"}"#)
            let queue = try await broker.queue(
                "work.fifo", #"{"FifoQueue":"true","RedrivePolicy":"\#(policy("dead.fifo"))"}"#)
            for body in ["1", "2"] { try await broker.send(body, to: dead, #","MessageGroupId":"a""#) }
            let received = try await broker.sqs("ReceiveMessage", "{\(dead)}")
            let again = clock.now() + 1000
            let start = #"{"SourceArn":"arn:aws:sqs:x:1:dead.fifo","DestinationArn":"arn:aws:sqs:x:1:work.fifo"}"#
            #expect(try await broker.sqs("StartMessageMoveTask", start).status == 200)
            await clock.ordered.first { $0 == again }
            #expect(try await task(broker, of: "dead.fifo")["Status"] == .string("RUNNING"))
            let handle = received.messages.first?["ReceiptHandle"]?.string ?? ""
            _ = try await broker.sqs("DeleteMessage", #"{\#(dead),"ReceiptHandle":"\#(handle)"}"#)
            clock.advance(seconds: 1)
            #expect(try await broker.bodies(of: queue, wait: 20) == ["2"])
            let ended = try await end(broker, of: "dead.fifo")
            #expect(ended["Status"] == .string("COMPLETED"))
            #expect(ended["ApproximateNumberOfMessagesMoved"] == .number(1))
        }
    }

    /// Nor does a task end because a page takes longer than its receive waits.
    @Test func aQueueIsNotDrainedWhileItsPageIsRead() throws {
        var state = QueueState(settings: QueueState.Settings(), stored: 5, receiptSeed: 0)
        let request = QueueState.ReceiveRequest(waiter: 1, maximum: 1, visibility: 30_000, wait: 0)
        let load = try #require(state.receive(request, now: 1000).load)
        let later = 1000 + state.limits.patience
        #expect(state.tick(now: later).answers.map(\.deliveries.count) == [0])
        #expect(!state.isDrained(now: later))
        _ = state.loaded(QueueState.Page(), for: load, now: later)
        #expect(state.isDrained(now: later))
    }

    @Test func aTaskThatCannotGoOnFails() async throws {
        let clock = ManualClock()
        try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
            let dead = try await deadLetters(broker, clock, count: 1)
            try await broker.send("sent by hand", to: dead)
            #expect(
                try await broker.sqs("StartMessageMoveTask", #"{"SourceArn":"arn:aws:sqs:x:1:dead"}"#).status == 200)
            let task = try await end(broker)
            #expect(task["Status"] == .string("FAILED"))
            #expect(task["FailureReason"] == .string("CouldNotDetermineMessageSource"))
            #expect(try await visible(dead, broker) == 2, "nothing is lost")
            for (input, code) in [
                (#"{"SourceArn":"arn:aws:sqs:x:1:work"}"#, "InvalidParameterValue"),
                (#"{"SourceArn":"arn:aws:sqs:x:1:none"}"#, "ResourceNotFoundException"),
                (#"{"SourceArn":"nonsense"}"#, "InvalidParameterValue"),
                (#"{"SourceArn":"arn:aws:sqs:x:1:dead","MaxNumberOfMessagesPerSecond":501}"#, "InvalidParameterValue"),
            ] {
                #expect(try await broker.sqs("StartMessageMoveTask", input).code == code)
            }
            #expect(
                try await broker.sqs("CancelMessageMoveTask", #"{"TaskHandle":"x"}"#).code == "InvalidParameterValue")
        }
    }

    @Test func systemAttributesAndGroupsOfStandardQueues() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let queue = try await broker.queue("work")
            let sent = try await broker.sqs(
                "SendMessage",
                #"{\#(queue),"MessageBody":"x","MessageGroupId":"tenant","MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1-5759e988-bd862e3fe1be46a994272793"}}}"#
            )
            #expect(sent["MD5OfMessageSystemAttributes"]?.string?.utf8.count == 32)
            #expect(sent["SequenceNumber"] == nil)
            let received = try await broker.sqs(
                "ReceiveMessage",
                #"{\#(queue),"MessageSystemAttributeNames":["AWSTraceHeader","MessageGroupId"]}"#)
            #expect(
                received.messages.first?["Attributes"]
                    == .object([
                        "AWSTraceHeader": .string("Root=1-5759e988-bd862e3fe1be46a994272793"),
                        "MessageGroupId": .string("tenant"),
                    ]))
            let refused = try await broker.sqs(
                "SendMessage",
                #"{\#(queue),"MessageBody":"x","MessageSystemAttributes":{"Nope":{"DataType":"String","StringValue":"x"}}}"#
            )
            #expect(refused.code == "InvalidParameterValue")
        }
    }
}
