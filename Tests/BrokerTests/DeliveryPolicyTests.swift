import Foundation
import Testing

@testable import Broker

struct DeliveryPolicyTests {
    private func delays(_ json: String) throws -> [Double] {
        let schedule = try #require(try DeliveryPolicy.Overrides(#"{"healthyRetryPolicy":\#(json)}"#).retry)
        return (1...200).map { schedule.delay(afterAttempts: $0) }.prefix { $0 != nil }
            .map { (Double($0 ?? 0) / 100).rounded() / 10 }
    }

    @Test func threeTimesTwentySecondsApartByDefault() throws {
        #expect(try delays("{}") == [20, 20, 20])
        #expect(try DeliveryPolicy.standard.overridden(by: DeliveryPolicy.Overrides("{}")) == .standard)
    }

    @Test func fourPhases() throws {
        let delays = try delays(
            #"{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":10,"numNoDelayRetries":2,"numMinDelayRetries":2,"numMaxDelayRetries":3,"backoffFunction":"linear"}"#
        )
        #expect(delays == [0, 0, 1, 1, 1, 5, 9, 9, 9, 9])
    }

    @Test(arguments: [
        ("linear", [1, 4.8, 8.5, 12.3, 16]), ("arithmetic", [1, 2.5, 5.5, 10, 16]), ("geometric", [1, 2, 4, 8, 16]),
        ("exponential", [1, 2, 4, 8, 16]),
    ])
    func backoff(function: String, expected: [Double]) throws {
        let delays = try delays(
            #"{"minDelayTarget":1,"maxDelayTarget":16,"numRetries":5,"backoffFunction":"\#(function)"}"#)
        #expect(delays == expected)
    }

    @Test func geometricAndExponentialDiffer() throws {
        func policy(_ function: String) -> String {
            #"{"minDelayTarget":10,"maxDelayTarget":90,"numRetries":3,"backoffFunction":"\#(function)"}"#
        }
        #expect(try delays(policy("geometric")) == [10, 30, 90])
        #expect(try delays(policy("exponential")) == [10, 36.7, 90])
    }

    @Test func oneRetryOrNone() throws {
        #expect(try delays(#"{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":1}"#) == [1])
        #expect(try delays(#"{"numRetries":0}"#).isEmpty)
        #expect(try delays(#"{"numRetries":1,"numNoDelayRetries":1}"#) == [0])
    }

    @Test(arguments: [
        "", "[]", #"{"healthyRetryPolicy":{"numRetries":"x"}}"#, #"{"healthyRetryPolicy":{"numRetries":101}}"#,
        #"{"healthyRetryPolicy":{"numRetries":-1}}"#, #"{"healthyRetryPolicy":{"minDelayTarget":0}}"#,
        #"{"healthyRetryPolicy":{"minDelayTarget":30,"maxDelayTarget":20}}"#,
        #"{"healthyRetryPolicy":{"maxDelayTarget":3601}}"#, #"{"healthyRetryPolicy":{"numNoDelayRetries":4}}"#,
        #"{"healthyRetryPolicy":{"numNoDelayRetries":-1}}"#,
        #"{"healthyRetryPolicy":{"backoffFunction":"cubic"}}"#,
        #"{"healthyRetryPolicy":{"minDelayTarget":100,"maxDelayTarget":100,"numRetries":37}}"#,
        #"{"throttlePolicy":{"maxReceivesPerSecond":0}}"#,
        #"{"requestPolicy":{"headerContentType":"text/plain\r\nX-Evil: 1"}}"#,
        #"{"requestPolicy":{"headerContentType":"nonsense"}}"#,
    ])
    func refused(json: String) {
        #expect(throws: AWSError.self) { try DeliveryPolicy.Overrides(json) }
    }

    @Test func aSubscriptionOverridesItsTopicUnlessThatForbids() throws {
        let own = try DeliveryPolicy.Overrides(
            #"{"healthyRetryPolicy":{"numRetries":5},"throttlePolicy":{"maxReceivesPerSecond":2},"requestPolicy":{"headerContentType":"application/json"}}"#
        )
        let open = try TopicDeliveryPolicy(#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":7}}}"#)
        let closed = try TopicDeliveryPolicy(
            #"{"http":{"defaultHealthyRetryPolicy":{"numRetries":7},"disableSubscriptionOverrides":true}}"#)
        #expect(open.effective(own) == DeliveryPolicy.standard.overridden(by: own))
        #expect(open.effective(nil).retry.retries == 7)
        let inPart = try open.effective(DeliveryPolicy.Overrides(#"{"throttlePolicy":{"maxReceivesPerSecond":2}}"#))
        #expect(inPart.retry.retries == 7 && inPart.maxReceivesPerSecond == 2)
        #expect(closed.effective(own).retry.retries == 7)
        #expect(try DeliveryPolicy.Overrides(open.effective(own).json) == own)
        #expect(try TopicDeliveryPolicy(closed.json) == closed)
        #expect(
            TopicDeliveryPolicy.standard.json
                == #"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#
        )
    }

    @Test func aThrottleSpacesOut() {
        var throttle = Throttle()
        #expect((0..<4).map { _ in throttle.place(perSecond: 4, now: 1000) } == [1000, 1250, 1500, 1750])
        #expect(throttle.place(perSecond: 4, now: 9000) == 9000)
    }

    @Test(arguments: [
        (200, true), (204, true), (299, true), (301, false), (400, false), (404, false), (410, false),
    ])
    func answersThatSettle(status: Int, isDone: Bool) {
        #expect(EndpointAnswer.status(status).next(after: 1, RetrySchedule()) == (isDone ? .done : .giveUp))
    }

    @Test func whatLeadsNowhereIsGivenUp() {
        #expect(EndpointAnswer.nowhere.next(after: 1, RetrySchedule()) == .giveUp)
    }

    @Test(arguments: [EndpointAnswer.status(429), .status(500), .status(503), .none("timeout")])
    func answersThatAreTriedAgain(answer: EndpointAnswer) {
        #expect(answer.next(after: 3, RetrySchedule()) == .retry(after: 20_000))
        #expect(answer.next(after: 4, RetrySchedule()) == .giveUp)
    }
}
