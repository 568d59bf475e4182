import Foundation
import Testing

@testable import Broker

/// Topics, subscriptions and tags over HTTP.
struct SNSTests {
    @Test func attributesOfATopic() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let topic = ("TopicArn", BrokerFixture.topicARN("news"))
            _ = try await broker.sns(
                "CreateTopic", [("Name", "news")] + BrokerFixture.entries(["DisplayName": "News"], of: "Attributes"))
            func set(_ name: String, _ value: String) async throws -> Int {
                try await broker.sns(
                    "SetTopicAttributes", [topic, ("AttributeName", name), ("AttributeValue", value)]
                ).status
            }
            let first = try await broker.attributes("GetTopicAttributes", topic)
            #expect(first["DisplayName"] == "News" && first["Owner"] == "000000000000")
            #expect(first["Policy"]?.contains(#""Resource":"\#(topic.1)""#) == true)
            #expect(first["EffectiveDeliveryPolicy"] == TopicDeliveryPolicy.standard.json)
            #expect(first["SignatureVersion"] == nil)
            #expect(try await set("SignatureVersion", "2") == 200)
            #expect(try await set("TracingConfig", "Active") == 200)
            #expect(try await set("DisplayName", "") == 200)
            #expect(
                try await set("DeliveryPolicy", #"{"http":{"defaultHealthyRetryPolicy":{"numRetries":9}}}"#) == 200)
            let second = try await broker.attributes("GetTopicAttributes", topic)
            #expect(second["SignatureVersion"] == "2" && second["TracingConfig"] == "Active")
            #expect(second["DisplayName"] == "")
            #expect(second["EffectiveDeliveryPolicy"]?.contains(#""numRetries":9"#) == true)
            for (name, value) in [
                ("Nope", "1"), ("SignatureVersion", "3"), ("TracingConfig", "Loud"), ("FifoTopic", "true"),
                ("DeliveryPolicy", "x"), ("Policy", "x"), ("HTTPSuccessFeedbackSampleRate", "101"),
                ("DisplayName", String(repeating: "x", count: 101)),
            ] {
                #expect(try await set(name, value) == 400, "\(name)")
            }
            #expect(try await set("DeliveryPolicy", "") == 200)
            let last = try await broker.attributes("GetTopicAttributes", topic)
            #expect(last["EffectiveDeliveryPolicy"] == TopicDeliveryPolicy.standard.json)
            #expect(last["DeliveryPolicy"] == nil)
        }
    }

    @Test func topicsAreCreatedOnce() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            let tags = [("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "1")]
            #expect(try await broker.sns("CreateTopic", [("Name", "news")] + tags).status == 200)
            #expect(try await broker.sns("CreateTopic", [("Name", "news")]).status == 200)
            let other = [("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "2")]
            let refused = try await broker.sns("CreateTopic", [("Name", "news")] + other)
            #expect(refused.xml.contains("Invalid parameter: Tags Reason: Topic already exists with different tags"))
            let named = BrokerFixture.entries(["DisplayName": "x"], of: "Attributes")
            #expect(try await broker.sns("CreateTopic", [("Name", "news")] + named).status == 400)
            let deleted = try await broker.sns("DeleteTopic", [("TopicArn", BrokerFixture.topicARN("news"))])
            #expect(deleted.status == 200 && !deleted.xml.contains("DeleteTopicResult"))
            #expect(try await broker.sns("DeleteTopic", [("TopicArn", BrokerFixture.topicARN("news"))]).status == 200)
            #expect(try await broker.sns("CreateTopic", [("Name", "news")] + other).status == 200)
        }
    }

    @Test func listsHavePagesOfAHundred() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            for number in 0..<101 { _ = try await broker.sns("CreateTopic", [("Name", "topic-\(1000 + number)")]) }
            let first = try await broker.sns("ListTopics", []).xml
            #expect(first.split(separator: "<TopicArn>").count - 1 == 100)
            let token = try #require(BrokerFixture.element("NextToken", of: first))
            let second = try await broker.sns("ListTopics", [("NextToken", token)]).xml
            #expect(second.contains("topic-1100") && !second.contains("topic-1099") && !second.contains("NextToken"))
        }
    }

    @Test func tags() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let resource = ("ResourceArn", BrokerFixture.topicARN("news"))
            func tag(_ tags: [(String, String)]) async throws -> (status: Int, xml: String) {
                try await broker.sns(
                    "TagResource",
                    [resource]
                        + tags.enumerated().flatMap { index, tag in
                            [
                                ("Tags.member.\(index + 1).Key", tag.0), ("Tags.member.\(index + 1).Value", tag.1),
                            ]
                        })
            }
            #expect(try await tag([("a", "1"), ("b", "2")]).status == 200)
            #expect(try await tag([("b", "3")]).status == 200)
            let listed = try await broker.sns("ListTagsForResource", [resource]).xml
            #expect(listed.contains("<member><Key>b</Key><Value>3</Value></member>") && listed.contains("<Key>a</Key>"))
            let untagged = try await broker.sns("UntagResource", [resource, ("TagKeys.member.1", "a")])
            #expect(untagged.status == 200)
            #expect(try await !broker.sns("ListTagsForResource", [resource]).xml.contains("<Key>a</Key>"))
            #expect(try await tag([("c", "1"), ("c", "2")]).xml.contains("Duplicated keys are not allowed."))
            let many = try await tag((0..<50).map { ("many-\($0)", "") })
            #expect(many.status == 400 && many.xml.contains("<Code>TagLimitExceeded</Code>"))
            let missing = try await broker.sns(
                "ListTagsForResource", [("ResourceArn", BrokerFixture.topicARN("none"))])
            #expect(missing.status == 404 && missing.xml.contains("<Code>ResourceNotFound</Code>"))
        }
    }

    /// What Amazon says, as recorded there.
    @Test(
        arguments: [
            ("Subscribe", ["Protocol": "test"], 400, "Amazon SNS does not support this protocol string: test"),
            ("Subscribe", ["Protocol": "sqs", "Endpoint": "http://x/1/q"], 400, "Invalid parameter: SQS endpoint ARN"),
            (
                "Subscribe", ["Protocol": "https", "Endpoint": "http://x"], 400,
                "Invalid parameter: Endpoint must match the specified protocol"
            ),
            (
                "Subscribe",
                [
                    "Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:1:q", "Attributes.entry.1.key": "RawMessageDelivery",
                    "Attributes.entry.1.value": "wrong",
                ], 400,
                "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrong]. Must be true or false."
            ),
            (
                "Subscribe", ["TopicArn": "arn:aws:sns:r:1:no", "Protocol": "sqs", "Endpoint": "x"], 404,
                "Topic does not exist"
            ),
            (
                "Subscribe", ["Protocol": "sqs", "Endpoint": "arn:aws:sqs:r:1:q.fifo"], 400,
                "FIFO SQS Queues can not be subscribed to standard SNS topics"
            ),
            ("Publish", ["Message": "x", "TopicArn": "nonsense"], 400, "An ARN must have at least 6 elements, not 1"),
            ("Publish", [:], 400, "Invalid parameter: Empty message"),
            ("Publish", ["Message": "x", "Subject": ""], 400, "Invalid parameter: Subject"),
            ("Publish", ["Message": "x", "Subject": "a\nb"], 400, "Invalid parameter: Subject"),
            (
                "Publish", ["Message": #"{"sqs":"x"}"#, "MessageStructure": "json"], 400,
                "Invalid parameter: Message Structure - No default entry in JSON message body"
            ),
            (
                "Publish", ["Message": "{", "MessageStructure": "json"], 400,
                "Invalid parameter: Message Structure - JSON message body failed to parse"
            ),
            ("PublishBatch", [:], 400, "EmptyBatchRequest"),
            (
                "PublishBatch",
                [
                    "PublishBatchRequestEntries.member.1.Id": "a", "PublishBatchRequestEntries.member.1.Message": "x",
                    "PublishBatchRequestEntries.member.2.Id": "a", "PublishBatchRequestEntries.member.2.Message": "x",
                ], 400,
                "Two or more batch entries in the request have the same Id."
            ),
            ("ConfirmSubscription", ["Token": "x"], 400, "Invalid token"),
            ("ConfirmSubscription", ["Token": String(repeating: "a", count: 64)], 400, "Invalid parameter: Token"),
            ("Unsubscribe", ["SubscriptionArn": "arn:aws:sns:r:1:news:none"], 200, "UnsubscribeResponse"),
            (
                "Unsubscribe", ["SubscriptionArn": "nonsense"], 400,
                "SubscriptionArn Reason: An ARN must have at least 6"
            ),
            (
                "GetSubscriptionAttributes", ["SubscriptionArn": "arn:aws:sns:r:1:news:none"], 404,
                "Subscription does not exist"
            ),
        ] as [(String, [String: String], Int, String)])
    func answers(action: String, parameters: [String: String], status: Int, text: String) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let all = ["TopicArn": BrokerFixture.topicARN("news")].merging(parameters) { $1 }
            let answer = try await broker.sns(action, all.map { ($0.key, $0.value) })
            #expect(answer.status == status)
            #expect(answer.xml.contains(text), "\(answer.xml)")
        }
    }

    @Test func attributesOfASubscription() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let arn = try await broker.subscribe(BrokerFixture.queueARN("work"), "sqs", to: "news")
            #expect(try await broker.subscribe(BrokerFixture.queueARN("work"), "sqs", to: "news") == arn)
            func set(_ name: String, _ value: String) async throws -> String {
                try await broker.sns(
                    "SetSubscriptionAttributes",
                    [("SubscriptionArn", arn), ("AttributeName", name), ("AttributeValue", value)]
                ).xml
            }
            let first = try await broker.attributes("GetSubscriptionAttributes", ("SubscriptionArn", arn))
            #expect(first["PendingConfirmation"] == "false" && first["RawMessageDelivery"] == "false")
            #expect(first["FilterPolicyScope"] == nil && first["Protocol"] == "sqs")
            _ = try await set("FilterPolicyScope", "MessageBody")
            _ = try await set("FilterPolicy", #"{"a":{"b":["c"]}}"#)
            _ = try await set("RawMessageDelivery", "True")
            let second = try await broker.attributes("GetSubscriptionAttributes", ("SubscriptionArn", arn))
            #expect(second["FilterPolicy"] == #"{"a":{"b":["c"]}}"#)
            #expect(second["FilterPolicyScope"] == "MessageBody" && second["RawMessageDelivery"] == "true")
            #expect(try await set("Fake", "x").contains("<Message>Invalid parameter: AttributeName</Message>"))
            #expect(
                try await set("RawMessageDelivery", "").contains(
                    "Invalid parameter: RawMessageDelivery: Invalid value []. Must be true or false."))
            #expect(
                try await set("RedrivePolicy", #"{"deadLetterTargetArn":"fake"}"#).contains(
                    "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn"))
            #expect(try await set("RedrivePolicy", "{x}").contains("RedrivePolicy: failed to parse JSON."))
            #expect(try await set("FilterPolicyScope", "x").contains("Invalid value [x]. Please use either"))
            _ = try await set("FilterPolicy", "")
            let last = try await broker.attributes("GetSubscriptionAttributes", ("SubscriptionArn", arn))
            #expect(last["FilterPolicy"] == nil && last["FilterPolicyScope"] == nil)
        }
    }

    @Test(arguments: [true, false])
    func aQueueThatIsGoneHasADeadLetterQueue(isRaw: Bool) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let (gone, lost) = (try await broker.queue("gone"), try await broker.queue("lost"))
            _ = try await broker.subscribe(
                BrokerFixture.queueARN("gone"), "sqs", to: "news",
                [
                    "RawMessageDelivery": "\(isRaw)",
                    "RedrivePolicy": #"{"deadLetterTargetArn":"\#(BrokerFixture.queueARN("lost"))"}"#,
                ])
            _ = try await broker.publish("one", to: "news")
            #expect(try await broker.bodies(of: lost).isEmpty)
            #expect(try await broker.sqs("DeleteQueue", "{\(gone)}").status == 200)
            _ = try await broker.publish("two", to: "news")
            let body = try #require(try await broker.bodies(of: lost).first)
            #expect(isRaw ? body == "two" : try JSONValue(parsing: body).object?["Message"] == .string("two"))
        }
    }

    @Test func aStructureHasAMessageForEachKind() async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let queue = try await broker.queue("work")
            _ = try await broker.subscribe(
                BrokerFixture.queueARN("work"), "sqs", to: "news", ["RawMessageDelivery": "true"])
            for text in [#"{"default":"all","sqs":"queues"}"#, #"{"default":"all","http":"x","sqs":7}"#] {
                _ = try await broker.publish(text, to: "news", [("MessageStructure", "json")])
            }
            #expect(try await broker.bodies(of: queue).sorted() == ["all", "queues"])
        }
    }
}
