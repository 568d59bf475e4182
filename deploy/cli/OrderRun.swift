import Foundation

/// Places one order and follows it until it is settled.
struct OrderRun: Sendable {
    struct Ending: Sendable {
        let orderID: String
        let outcome: Outcome
        /// `false` when the time was over first.
        let isSettled: Bool
        let missing: [String]
        /// From the 202 to the moment at which the confirmation was seen.
        let acceptedToConfirmed: Duration?
        let elapsed: Duration
    }

    /// How long to wait before a service is asked again what it knows of the order.
    private static let pause = Duration.milliseconds(25)
    private static let longestRetry = Duration.seconds(1)

    let client: ShopClient
    let order: ShopClient.NewOrder
    let timeout: Duration
    let show: @Sendable (Step) throws -> Void

    func run() async throws -> Ending {
        let start = ContinuousClock.now
        let deadline = start + timeout
        let key = UUID().uuidString
        let placed = try await patiently(until: deadline) { try await client.place(order, key: key) }
        guard let placed else {
            throw ShopError("The order was not accepted within \(timeout.inSeconds(digits: 0)): order does not answer.")
        }
        let accepted = ContinuousClock.now
        try show(
            Step(
                orderId: placed.orderId, service: "order", step: "accepted",
                detail: "\(placed.orderId), \(placed.total), correlation \(placed.correlationId)",
                elapsedMilliseconds: (accepted - start).milliseconds, at: nil))
        let watch = Watch(journey: Journey(orderID: placed.orderId), start: start, show: show)
        let confirmed = try await follow(placed.orderId, watch, until: deadline)
        if await watch.journey.outcome != .unsettled {
            try await awaitEffects(placed.orderId, watch, until: deadline)
        }
        let journey = await watch.journey
        return Ending(
            orderID: placed.orderId, outcome: journey.outcome, isSettled: journey.isSettled, missing: journey.missing,
            acceptedToConfirmed: confirmed.map { $0 - accepted }, elapsed: ContinuousClock.now - start)
    }

    /// Follows the order alone until its outcome, so that nothing else disturbs what is measured; returns when the
    /// confirmation was seen.
    private func follow(
        _ id: String, _ watch: Watch, until deadline: ContinuousClock.Instant
    ) async throws -> ContinuousClock.Instant? {
        var tag: String?
        while await watch.journey.outcome == .unsettled, ContinuousClock.now < deadline {
            let wait = Duration.seconds(min(10, max(1, (deadline - .now).seconds.rounded(.up))))
            let after = tag
            let reading = try await patiently(until: deadline) { try await client.order(id, after: after, wait: wait) }
            guard let reading, let reading else { continue }
            // Without a tag there is no waiting at the other end.
            if reading.tag == nil { try await Task.sleep(for: Self.pause) }
            let now = ContinuousClock.now
            tag = reading.tag
            try await watch.see(reading.order)
            if await watch.journey.outcome == .confirmed {
                return now
            }
        }
        return nil
    }

    /// Asks the other services until each shows what follows from the outcome. The order is read along, because a
    /// payment that came too late is refunded after the cancellation.
    private func awaitEffects(_ id: String, _ watch: Watch, until deadline: ContinuousClock.Instant) async throws {
        while ContinuousClock.now < deadline {
            async let effects = client.effects(of: id, customer: order.customer.id)
            async let reading = patiently(until: deadline) { try await client.order(id) }
            if let reading = try await reading, let reading {
                try await watch.see(reading.order)
            }
            try await watch.see(effects)
            if await watch.journey.isSettled { return }
            try await Task.sleep(for: Self.pause)
        }
    }

    /// Asks again while nobody answers, or the service says that it is not able to; `nil` when the time is over.
    private func patiently<Value: Sendable>(
        until deadline: ContinuousClock.Instant, _ body: () async throws -> Value
    ) async throws -> Value? {
        var pause = Duration.milliseconds(50)
        while ContinuousClock.now < deadline {
            do {
                return try await body()
            } catch is HTTP.Unreachable {
                // The service may be starting again.
            } catch let refused as Refused where refused.status >= 500 {
                // It says that it can't at the moment.
            }
            try await Task.sleep(for: min(pause, max(.zero, deadline - .now)))
            pause = min(pause * 2, Self.longestRetry)
        }
        return nil
    }
}

/// The journey of one order while it is followed, showing each step as it is seen.
private actor Watch {
    private(set) var journey: Journey
    private let start: ContinuousClock.Instant
    private let show: @Sendable (Step) throws -> Void

    init(journey: Journey, start: ContinuousClock.Instant, show: @escaping @Sendable (Step) throws -> Void) {
        self.journey = journey
        self.start = start
        self.show = show
    }

    func see(_ order: OrderAnswer) throws {
        try journey.see(order, after: .now - start).forEach(show)
    }

    func see(_ effects: Effects) throws {
        try journey.see(effects, after: .now - start).forEach(show)
    }
}
