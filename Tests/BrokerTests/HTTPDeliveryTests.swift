import Foundation
import Persistence
import Synchronization
import TestSupport
import Testing

@testable import Broker

/// Notifications to HTTP endpoints.
@Suite(.timeLimit(.minutes(1))) struct HTTPDeliveryTests {
    private static let immediately =
        #"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":2,"minDelayTarget":1,"maxDelayTarget":1}}"#

    @Test func anEndpointMustAgree() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let topic = BrokerFixture.topicARN("news")
                let parameters = [("TopicArn", topic), ("Protocol", "http"), ("Endpoint", endpoint.url())]
                #expect(try await broker.sns("Subscribe", parameters).xml.contains(">pending confirmation<"))
                let asked = try #require(await endpoint.received.first { _ in true })
                #expect(asked.headers["content-type"] == "text/plain; charset=UTF-8")
                #expect(asked.headers["user-agent"] == "Amazon Simple Notification Service Agent")
                #expect(asked.headers["x-amz-sns-message-id"] == asked.text("MessageId"))
                #expect(asked.headers["x-amz-sns-topic-arn"] == topic)
                #expect(asked.headers["x-amz-sns-subscription-arn"] == nil)
                let certificate = try await broker.follow(asked.text("SigningCertURL")).text
                #expect(try SigningTests.verify(asked.body, certificatePEM: certificate))

                _ = try await broker.publish("too early", to: "news")
                #expect(try await broker.sns("ListSubscriptions", []).xml.contains(">PendingConfirmation<"))
                #expect(
                    try await broker.attributes("GetTopicAttributes", ("TopicArn", topic))["SubscriptionsPending"]
                        == "1")
                let confirmed = try await broker.follow(asked.text("SubscribeURL"))
                let arn = try #require(BrokerFixture.element("SubscriptionArn", of: confirmed.text))
                #expect(try await broker.follow(asked.text("SubscribeURL")).status == 200, "twice is as good")
                let attributes = try await broker.attributes("GetSubscriptionAttributes", ("SubscriptionArn", arn))
                #expect(attributes["PendingConfirmation"] == "false")
                #expect(attributes["ConfirmationWasAuthenticated"] == "false")

                let id = try await broker.publish("hello", to: "news", [("Subject", "greeting")])
                let sent = try #require(await endpoint.notifications(1).first)
                #expect(sent.text("Message") == "hello" && sent.text("Subject") == "greeting")
                #expect(sent.text("MessageId") == id && sent.headers["x-amz-sns-message-id"] == id)
                #expect(sent.headers["x-amz-sns-subscription-arn"] == arn)
                #expect(sent.headers["x-amz-sns-rawdelivery"] == nil)
                #expect(try SigningTests.verify(sent.body, certificatePEM: certificate))
            }
        }
    }

    @Test func whoUnsubscribesIsToldAndMayComeBack() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let arn = try await broker.confirmedSubscription(endpoint, to: "news")
                _ = try await broker.publish("one", to: "news")
                let sent = try #require(await endpoint.notifications(1).first)
                #expect(try await broker.follow(sent.text("UnsubscribeURL")).status == 200)
                let told = try #require(await endpoint.received.first { $0.type == "UnsubscribeConfirmation" })
                #expect(told.headers["x-amz-sns-subscription-arn"] == arn)
                _ = try await broker.publish("two", to: "news")
                #expect(try await !broker.sns("ListSubscriptions", []).xml.contains(arn))
                #expect(
                    try await broker.sns("GetSubscriptionAttributes", [("SubscriptionArn", arn)]).status == 404)
                #expect(try await broker.follow(told.text("SubscribeURL")).status == 200)
                _ = try await broker.publish("three", to: "news")
                let messages = await endpoint.notifications(2).map { $0.text("Message") }
                #expect(messages == ["one", "three"])
            }
        }
    }

    @Test func onlyASignedRequestEndsAGuardedSubscription() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let arn = try await broker.subscribe(endpoint.url(), "http", to: "news")
                let token = try #require(await endpoint.received.first { _ in true }).text("Token")
                let confirmed = try await broker.sns(
                    "ConfirmSubscription",
                    [
                        ("TopicArn", BrokerFixture.topicARN("news")), ("Token", token),
                        ("AuthenticateOnUnsubscribe", "true"),
                    ])
                #expect(confirmed.status == 200)
                let address = "http://x/?Action=Unsubscribe&SubscriptionArn=\(arn)"
                let refused = try await broker.follow(address)
                #expect(refused.status == 403 && refused.text.contains("AuthorizationError"))
                #expect(try await broker.sns("Unsubscribe", [("SubscriptionArn", arn)]).status == 200)
            }
        }
    }

    @Test func aTokenIsGoodForTwoDays() async throws {
        let clock = ManualClock()
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let topic = ("TopicArn", BrokerFixture.topicARN("news"))
                _ = try await broker.subscribe(endpoint.url(), "http", to: "news")
                let token = try #require(await endpoint.received.first { _ in true }).text("Token")
                for wrong in [String(token.reversed()), "", "x"] {
                    #expect(try await broker.sns("ConfirmSubscription", [topic, ("Token", wrong)]).status == 400)
                }
                clock.advance(seconds: 2 * 86_400 + 1)
                #expect(try await broker.sns("ConfirmSubscription", [topic, ("Token", token)]).status == 400)
            }
        }
    }

    @Test func rawDeliveryIsTheMessageAlone() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let policy = #"{"requestPolicy":{"headerContentType":"application/json"}}"#
                _ = try await broker.confirmedSubscription(
                    endpoint, to: "news", ["RawMessageDelivery": "true", "DeliveryPolicy": policy])
                let text = #"{"default":"other","http":"{\"for\":\"http\"}"}"#
                let id = try await broker.publish(text, to: "news", [("MessageStructure", "json")])
                let sent = try #require(await endpoint.notifications(1).first)
                #expect(sent.body == #"{"for":"http"}"#)
                #expect(sent.headers["x-amz-sns-rawdelivery"] == "true")
                #expect(sent.headers["x-amz-sns-message-id"] == id)
                #expect(sent.headers["content-type"] == "application/json")
            }
        }
    }

    @Test func aFailureIsTriedAgain() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                _ = try await broker.confirmedSubscription(
                    endpoint, to: "news", ["DeliveryPolicy": Self.immediately])
                endpoint.answer(500, 429)
                let id = try await broker.publish("hello", to: "news")
                let sent = await endpoint.notifications(3)
                #expect(sent.map { $0.headers["x-amz-sns-message-id"] } == [id, id, id])
                #expect(Set(sent.map(\.body)).count == 1)
                let next = try await broker.publish("next", to: "news")
                let last = await endpoint.notifications(4).last
                #expect(last?.text("MessageId") == next, "what was accepted isn't sent again")
            }
        }
    }

    @Test(arguments: [[500, 503, 500], [404], [400], [302]])
    func whatCantBeDeliveredGoesToTheDeadLetterQueue(statuses: [Int]) async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let queue = try await broker.queue("lost")
                _ = try await broker.confirmedSubscription(
                    endpoint, to: "news",
                    [
                        "DeliveryPolicy": Self.immediately,
                        "RedrivePolicy": #"{"deadLetterTargetArn":"\#(BrokerFixture.queueARN("lost"))"}"#,
                    ])
                endpoint.answer(statuses[0], statuses.dropFirst().first ?? 200, statuses.dropFirst(2).first ?? 200)
                let id = try await broker.publish("hello", to: "news")
                let lost = try await broker.sqs(
                    "ReceiveMessage", #"{\#(queue),"WaitTimeSeconds":20,"AttributeNames":["All"]}"#)
                let message = try #require(lost.messages.first)
                let envelope = try JSONValue(parsing: message["Body"]?.string ?? "").object
                #expect(envelope?["MessageId"] == .string(id))
                #expect(envelope?["UnsubscribeURL"]?.string?.contains(":news:") == true)
                let system = message["Attributes"]?.object
                #expect(system?["ApproximateReceiveCount"] == .string("1"))
                #expect(system?["DeadLetterQueueSourceArn"] == nil)
                #expect(endpoint.received.values.count { $0.type == "Notification" } == statuses.count)
            }
        }
    }

    @Test func aPostponedDeliverySurvivesARestart() async throws {
        let (folder, clock) = (try TemporaryFolder(), ManualClock())
        let start = clock.now()
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: folder, clock: clock) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                _ = try await broker.confirmedSubscription(endpoint, to: "news")
                endpoint.answer(503)
                _ = try await broker.publish("hello", to: "news")
                _ = await endpoint.notifications(1)
                // The queue orders a call for the end of the delay.
                await clock.ordered.first { $0 == start + 20_000 }
            }
            clock.advance(seconds: 19)
            try await BrokerFixture.run(folder: folder, clock: clock) { broker in
                clock.advance(seconds: 1)
                let sent = await endpoint.notifications(2)
                #expect(Set(sent.map(\.body)).count == 1)
                _ = try await broker.publish("bye", to: "news")
                #expect(await endpoint.notifications(3).last?.text("Message") == "bye")
            }
        }
    }

    @Test func aSlowEndpointDelaysNoOther() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                _ = try await broker.confirmedSubscription(endpoint, "/slow", to: "news")
                _ = try await broker.confirmedSubscription(endpoint, "/quick", to: "news")
                let gate = endpoint.hold("/slow")
                for number in 1...50 { _ = try await broker.publish("\(number)", to: "news") }
                let quick = await endpoint.received.first(50) { $0.path == "/quick" && $0.type == "Notification" }
                #expect(quick.count == 50)
                let slow = endpoint.received.values.count { $0.path == "/slow" && $0.type == "Notification" }
                #expect(slow <= HTTPSender.lanes)
                gate.record(())
                let all = await endpoint.received.first(50) { $0.path == "/slow" && $0.type == "Notification" }
                #expect(Set(all.map { $0.text("Message") }).count == 50)
            }
        }
    }

    @Test func aBodyThatDoesNotComeHoldsNobodyUp() async throws {
        let clock = ManualClock()
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder(), clock: clock) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                _ = try await broker.confirmedSubscription(endpoint, to: "news")
                clock.advance(seconds: 1)
                let (end, gate) = (clock.now() + HTTPSender.timeout, endpoint.holdBody("/hook"))
                for number in 0...HTTPSender.lanes { _ = try await broker.publish("\(number)", to: "news") }
                // Each lane has the head of an answer.
                await clock.ordered.first(HTTPSender.lanes) { $0 == end }
                clock.advance(seconds: 15)
                let sent = await endpoint.notifications(HTTPSender.lanes + 1)
                #expect(Set(sent.map { $0.text("Message") }).count == HTTPSender.lanes + 1, "none was sent twice")
                gate.record(())
            }
        }
    }

    @Test(arguments: [
        "http://127.0.0.1:99999/", "http://[::1]:99999/", "http://localhost:65536/", "http://localhost:0/",
        "http://%5B%5D/", "http://local%68ost/", "http://[::1%25lo]/", "http:///hook",
    ])
    func whatLeadsNowhereIsRefused(endpoint: String) async throws {
        try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            let answer = try await broker.sns(
                "Subscribe",
                [("TopicArn", BrokerFixture.topicARN("news")), ("Protocol", "http"), ("Endpoint", endpoint)])
            #expect(answer.status == 400)
            #expect(BrokerFixture.element("Code", of: answer.xml) == "InvalidParameter")
        }
    }

    @Test(arguments: [
        "http://127.0.0.1/", "http://[::1]:8080/hook?x=1", "https://hooks.shop_1.example:65535/",
        "http://user:secret@localhost:1/",
    ])
    func otherEndpointsAreTaken(endpoint: String) { #expect(Subscription.canBeReached(endpoint)) }

    @Test func whatLedNowhereBeforeIsGivenUp() async throws {
        let folder = try TemporaryFolder()
        try await BrokerFixture.run(folder: folder) { broker in
            _ = try await broker.sns("CreateTopic", [("Name", "news")])
            _ = try await broker.queue("dead")
        }
        let store = try await BrokerStore.open(url: "sqlite:\(folder.path)/broker.sqlite")
        try await store.database.write { transaction in
            for endpoint in ["http://127.0.0.1:99999/", "http://%5B%5D/"] {
                let redrive = #"{"deadLetterTargetArn":"\#(BrokerFixture.queueARN("dead"))"}"#
                let subscription = try Subscription(
                    id: MessageID.make(), topic: "news", region: "r", kind: .http, endpoint: endpoint,
                    attributes: SubscriptionAttributes(["RawMessageDelivery": "true", "RedrivePolicy": redrive]))
                try store.insert(subscription, now: 0, transaction)
                _ = try store.createQueue(
                    subscription.queue, attributes: QueueAttributes(checking: [:]), tags: [:], now: 0, transaction)
            }
        }
        try await store.database.close()
        try await BrokerFixture.run(folder: folder) { broker in
            _ = try await broker.publish("hello", to: "news")
            let dead = try await broker.queue("dead")
            var bodies: [String] = []
            while bodies.count < 2 { bodies += try await broker.bodies(of: dead, wait: 10) }
            #expect(bodies == ["hello", "hello"])
        }
    }

    @Test func clientsCantReachTheQueueOfAnEndpoint() async throws {
        try await TestEndpoint.run { endpoint in
            try await BrokerFixture.run(folder: TemporaryFolder()) { broker in
                _ = try await broker.sns("CreateTopic", [("Name", "news")])
                let arn = try await broker.confirmedSubscription(endpoint, to: "news")
                let name = "news:" + (arn.split(separator: ":").last ?? "")
                #expect(try await broker.sqs("ListQueues", "{}")["QueueUrls"]?.array ?? [] == [])
                let url = #""QueueUrl":"http://x/000000000000/\#(name)""#
                for (operation, input) in [
                    ("GetQueueUrl", #"{"QueueName":"\#(name)"}"#), ("ReceiveMessage", "{\(url)}"),
                    ("PurgeQueue", "{\(url)}"), ("DeleteQueue", "{\(url)}"),
                    ("SendMessage", #"{\#(url),"MessageBody":"x"}"#),
                ] {
                    let answer = try await broker.sqs(operation, input)
                    #expect(answer.code == "AWS.SimpleQueueService.NonExistentQueue", "\(operation)")
                }
            }
        }
    }
}
