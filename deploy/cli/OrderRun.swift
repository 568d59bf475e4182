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

    /// How long to wait before a service is asked again what it knows of the order: longer and longer, as long as
    /// nothing happens.
    private static let pause = Duration.milliseconds(25)
    private static let longestPause = Duration.milliseconds(500)
    private static let longestRetry = Duration.seconds(1)

    let client: ShopClient
    let order: ShopClient.NewOrder
    let timeout: Duration
    /// Whether the other services are asked from the start, which shows more and disturbs what is measured.
    let isSeenEverywhere: Bool
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
        let watch = Watch(
            journey: Journey(orderID: placed.orderId, services: client.services), start: start, show: show)
        if isSeenEverywhere {
            async let followed: Void = follow(placed.orderId, watch, until: deadline)
            try await awaitEffects(placed.orderId, watch, until: deadline)
            try await followed
        } else {
            try await follow(placed.orderId, watch, until: deadline)
            try await awaitEffects(placed.orderId, watch, until: deadline)
        }
        let confirmed = await watch.confirmed
        let journey = await watch.journey
        return Ending(
            orderID: placed.orderId, outcome: journey.outcome, isSettled: journey.isSettled, missing: journey.missing,
            acceptedToConfirmed: confirmed.map { $0 - accepted }, elapsed: ContinuousClock.now - start)
    }

    /// Follows the order until its outcome.
    private func follow(_ id: String, _ watch: Watch, until deadline: ContinuousClock.Instant) async throws {
        var tag: String?
        while await watch.journey.outcome == .unsettled, ContinuousClock.now < deadline {
            let wait = Duration.seconds(min(10, max(1, (deadline - .now).seconds.rounded(.up))))
            let after = tag
            let reading = try await patiently(until: deadline) { try await client.order(id, after: after, wait: wait) }
            guard let reading, let reading else { continue }
            try await watch.see(reading.order)
            tag = reading.tag
            // Without a tag there is no waiting at the other end.
            if tag == nil { try await Task.sleep(for: Self.pause) }
        }
    }

    /// Asks the other services until each shows what follows from the outcome. The order is read along, because a
    /// payment that came too late is refunded after the cancellation.
    private func awaitEffects(_ id: String, _ watch: Watch, until deadline: ContinuousClock.Instant) async throws {
        var pause = Self.pause
        while ContinuousClock.now < deadline {
            async let effects = client.effects(of: id, customer: order.customer.id)
            async let reading = patiently(until: deadline) { try await client.order(id) }
            let isNews =
                if let reading = try await reading, let reading { try await watch.see(reading.order) } else { false }
            let areNews = try await watch.see(effects)
            if await watch.journey.isSettled { return }
            pause = isNews || areNews ? Self.pause : min(pause * 2, Self.longestPause)
            try await Task.sleep(for: pause)
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
    /// When the confirmation was seen.
    private(set) var confirmed: ContinuousClock.Instant?
    private let start: ContinuousClock.Instant
    private let showStep: @Sendable (Step) throws -> Void

    init(journey: Journey, start: ContinuousClock.Instant, show: @escaping @Sendable (Step) throws -> Void) {
        self.journey = journey
        self.start = start
        showStep = show
    }

    /// Returns whether there was anything new.
    @discardableResult
    func see(_ order: OrderAnswer) throws -> Bool {
        let now = ContinuousClock.now
        let steps = journey.see(order, after: now - start)
        if journey.outcome == .confirmed { confirmed = confirmed ?? now }
        return try show(steps)
    }

    func see(_ effects: Effects) throws -> Bool {
        try show(journey.see(effects, after: .now - start))
    }

    private func show(_ steps: [Step]) throws -> Bool {
        try steps.forEach(showStep)
        return !steps.isEmpty
    }
}
