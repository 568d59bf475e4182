import Contracts
import Foundation
import Testing
import Webhooks

@testable import Notification

@Suite("An endpoint's life") struct WebhookEndpointTests {
    private let noon = Date(timeIntervalSince1970: 1_772_366_400)
    private let refusal = WebhookAttempt.Result.answered(WebhookAnswer(status: 500))
    private let success = WebhookAttempt.Result.answered(WebhookAnswer(status: 204))

    private func endpoint() -> WebhookEndpoint {
        WebhookEndpoint(
            url: "https://merchant.example/hooks", eventTypes: [.orderPlaced], description: "",
            ownerEmail: "owner@example.com")
    }

    private func judge(
        _ endpoint: inout WebhookEndpoint, _ result: WebhookAttempt.Result, number: Int = 1, after: TimeInterval = 0
    ) -> WebhookEndpoint.Verdict {
        endpoint.judge(
            result, number: number, patience: WebhookPatience(), at: noon.addingTimeInterval(after), jitter: { _ in 1 })
    }

    @Test("It is sent what it asked for, or all") func types() {
        #expect(endpoint().wants(.orderPlaced))
        #expect(!endpoint().wants(.orderConfirmed))
        var all = endpoint()
        all.eventTypes = [WebhookEndpoint.everything]
        #expect(all.wants("order.invented_tomorrow"))
    }

    @Test("A failure is tried again on schedule, ten times in all, and then given up") func schedule() {
        var endpoint = endpoint()
        let waits = (1...10).map { number -> TimeInterval? in
            guard case .again(let date) = judge(&endpoint, refusal, number: number) else { return nil }
            return date.timeIntervalSince(noon)
        }
        let hour = 3600.0
        #expect(
            waits == [
                5, 300, 1800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour, nil,
            ])
        #expect(judge(&endpoint, refusal, number: 10) == .failed)
        #expect(endpoint.status == .active)
    }

    @Test("Retry-After makes the wait longer, and 429 and 503 make all webhooks of the endpoint wait")
    func retryAfter() {
        var slow = endpoint()
        let busy = WebhookAttempt.Result.answered(WebhookAnswer(status: 503, retryAfter: .seconds(60)))
        #expect(judge(&slow, busy) == .again(at: noon.addingTimeInterval(60)))
        #expect(slow.throttledUntil == noon.addingTimeInterval(60))
        var odd = endpoint()
        let error = WebhookAttempt.Result.answered(WebhookAnswer(status: 500, retryAfter: .seconds(2)))
        #expect(judge(&odd, error) == .again(at: noon.addingTimeInterval(5)))
        #expect(odd.throttledUntil == nil)
    }

    @Test("410 disables it at once") func gone() {
        var endpoint = endpoint()
        #expect(judge(&endpoint, .answered(WebhookAnswer(status: 410))) == .disabled)
        #expect(endpoint.status == .disabled)
        #expect(endpoint.disabledReason == .gone)
        #expect(judge(&endpoint, .answered(WebhookAnswer(status: 410))) == .failed, "once")
        #expect(throws: WebhookEndpoint.TransitionRefused(status: .disabled)) { try endpoint.pause() }
    }

    @Test("Five days without a success disable it, and not a moment less") func failing() {
        let day = 24 * 3600.0
        var endpoint = endpoint()
        #expect(judge(&endpoint, .failed("No connection.")) == .again(at: noon.addingTimeInterval(5)))
        guard case .again = judge(&endpoint, refusal, after: 5 * day - 0.001) else {
            Issue.record("disabled too early")
            return
        }
        #expect(judge(&endpoint, refusal, after: 5 * day) == .disabled)
        #expect(endpoint.disabledReason == .failing)
        #expect(endpoint.failingSince == noon)
    }

    @Test("A success begins the days anew") func successBetween() {
        let day = 24 * 3600.0
        var endpoint = endpoint()
        _ = judge(&endpoint, refusal)
        #expect(judge(&endpoint, success, after: 4 * day) == .delivered)
        #expect(endpoint.failingSince == nil)
        _ = judge(&endpoint, refusal, after: 4.5 * day)
        guard case .again = judge(&endpoint, refusal, after: 9 * day) else {
            Issue.record("disabled after 4.5 days")
            return
        }
    }

    @Test("Only 2xx is a success", arguments: [100, 199, 301, 302, 307, 400, 404, 500]) func statuses(code: Int) {
        var endpoint = endpoint()
        #expect(judge(&endpoint, .answered(WebhookAnswer(status: code))) == .again(at: noon.addingTimeInterval(5)))
    }

    @Test("A rotated secret keeps signing until its time is over") func rotation() {
        var endpoint = endpoint()
        let first = endpoint.secret
        let second = WebhookSecret.make()
        endpoint.rotate(to: second, keepingOldUntil: noon.addingTimeInterval(60))
        #expect(endpoint.secrets(at: noon.addingTimeInterval(59)) == [second, first])
        #expect(endpoint.secrets(at: noon.addingTimeInterval(60)) == [second])
        let third = WebhookSecret.make()
        endpoint.rotate(to: third, keepingOldUntil: noon.addingTimeInterval(60))
        #expect(endpoint.secrets(at: noon) == [third, second], "the first ended with the next rotation")
    }

    @Test("Resuming forgets why it was disabled") func resume() throws {
        var endpoint = endpoint()
        _ = judge(&endpoint, .answered(WebhookAnswer(status: 410)))
        endpoint.resume()
        #expect(endpoint.status == .active && endpoint.disabledReason == nil && endpoint.failingSince == nil)
        try endpoint.pause()
        #expect(throws: WebhookEndpoint.TransitionRefused(status: .paused)) { try endpoint.requireActive() }
        try endpoint.requireNotDisabled()
    }
}
