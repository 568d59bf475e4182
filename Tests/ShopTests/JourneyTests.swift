import Testing

@testable import Shop

@Suite struct JourneyTests {
    private func order(_ history: [String], reason: String? = nil) -> OrderAnswer {
        OrderAnswer(
            orderId: "o", status: history.last ?? "placed", reason: reason, correlationId: "c",
            customer: .init(id: "ada", email: "ada@example.com"), items: [.init(sku: "TEA", quantity: 1)],
            total: Money(amountMinorUnits: 1290, currency: "EUR"),
            history: history.map { .init(status: $0, at: "2026-01-02T03:04:05.678Z") })
    }

    private func mail(_ kind: String) -> Mail {
        Mail(messageId: "m-\(kind)", to: "ada@example.com", subject: "Your order", kind: kind, at: "t")
    }

    private func notification(_ kind: String) -> Shop.Notification {
        Shop.Notification(id: "n-\(kind)", orderId: "o", kind: "order_\(kind)", text: "Your order", at: "t")
    }

    private func charge(_ status: String) -> Charge {
        Charge(chargeId: "ch", orderId: "o", status: status, amountMinorUnits: 1290, currency: "EUR")
    }

    @Test func eachStepIsShownOnce() {
        var journey = Journey(orderID: "o")
        #expect(journey.see(order(["placed"]), after: .zero).map(\.step) == ["placed"])
        let steps = journey.see(order(["placed", "reserved", "confirmed"]), after: .milliseconds(40))
        #expect(steps.map(\.step) == ["reserved", "confirmed"])
        #expect(steps.map(\.elapsedMilliseconds) == [40, 40])
        #expect(journey.see(order(["placed", "reserved", "confirmed"]), after: .zero) == [])
        #expect(journey.see(order(["placed", "reserved"]), after: .zero) == [], "an answer that was overtaken")
        #expect(journey.outcome == .confirmed)
    }

    @Test func aConfirmedOrderIsSettledWithMailPointsAndNotification() {
        var journey = Journey(orderID: "o")
        _ = journey.see(order(["placed", "confirmed"]), after: .zero)
        #expect(journey.missing == ["its mail", "its points", "its notification"])
        var effects = Effects(
            charges: [charge("succeeded")], mails: [], points: [], notifications: [notification("placed")])
        #expect(journey.see(effects, after: .zero).map(\.step) == ["charge succeeded", "notification order_placed"])
        effects.mails = [mail("confirmed")]
        effects.points = [PointsEntry(orderId: "o", points: 12, at: "t")]
        #expect(journey.see(effects, after: .zero).map(\.step) == ["points", "mail confirmed"])
        #expect(!journey.isSettled)
        #expect(journey.missing == ["its notification"])
        effects.notifications = [notification("placed"), notification("confirmed")]
        _ = journey.see(effects, after: .zero)
        #expect(journey.isSettled)
        #expect(journey.missing == [])
    }

    @Test func nothingIsExpectedOfAServiceThatIsNotRun() {
        var journey = Journey(orderID: "o", services: ["order", "loyalty"])
        _ = journey.see(order(["placed", "confirmed"]), after: .zero)
        #expect(journey.missing == ["its points"])
        _ = journey.see(Effects(points: [PointsEntry(orderId: "o", points: 12, at: "t")]), after: .zero)
        #expect(journey.isSettled)
    }

    @Test func aCancelledOrderHasItsReasonAndNeedsNoPoints() {
        var journey = Journey(orderID: "o")
        let steps = journey.see(order(["placed", "cancelled"], reason: "out_of_stock"), after: .zero)
        #expect(steps.last?.detail == "because of out_of_stock")
        _ = journey.see(
            Effects(charges: [], mails: [mail("cancelled")], points: [], notifications: [notification("cancelled")]),
            after: .zero)
        #expect(journey.isSettled)
        #expect(journey.outcome == .cancelled)
        #expect(journey.see(order(["placed", "cancelled", "refunded"]), after: .zero).map(\.step) == ["refunded"])
        #expect(journey.outcome == .refunded)
    }

    @Test func aServiceThatIsAwayTakesNothingBack() {
        var journey = Journey(orderID: "o")
        _ = journey.see(order(["confirmed"]), after: .zero)
        _ = journey.see(Effects(charges: [charge("pending")], mails: [mail("confirmed")]), after: .zero)
        #expect(journey.see(Effects(), after: .zero) == [])
        #expect(journey.missing == ["its points", "its notification"])
        #expect(journey.see(Effects(charges: [charge("succeeded")]), after: .zero).map(\.step) == ["charge succeeded"])
    }

    @Test func latenciesAreSummedUp() {
        var summary = LatencySummary()
        for milliseconds in 1...100 {
            summary.record(.confirmed, acceptedToConfirmed: .milliseconds(milliseconds))
        }
        summary.record(.cancelled, acceptedToConfirmed: nil)
        #expect(summary.count == 101)
        let latency = summary.report.acceptedToConfirmedMilliseconds
        #expect(abs((latency?.p50 ?? 0) - 50) < 0.5)
        #expect(abs((latency?.p99 ?? 0) - 99) < 0.5)
        #expect(abs((latency?.max ?? 0) - 100) < 0.5)
        #expect(summary.lines.last?.hasPrefix("accepted to confirmed: p50 ") == true)
        #expect(summary.lines.first == "101 orders: 100 confirmed, 1 cancelled")
    }

    @Test func withoutConfirmationThereIsNoLatency() {
        var summary = LatencySummary()
        summary.record(.unsettled, acceptedToConfirmed: nil)
        #expect(summary.report.acceptedToConfirmedMilliseconds == nil)
        #expect(summary.lines == ["1 orders: 1 unsettled"])
    }

    @Test func moneyIsShownInItsUnit() {
        #expect(Money(amountMinorUnits: 1290, currency: "EUR").description == "12.90 EUR")
        #expect(Money(amountMinorUnits: 5, currency: "EUR").description == "0.05 EUR")
        #expect(Money(amountMinorUnits: 1290, currency: "JPY").description == "1290 JPY")
    }

    @Test func noOrderIsOneTooManyForAProduct() {
        func product(_ sku: String, _ onHand: Int, reserved: Int = 0) -> Product {
            Product(
                sku: sku, name: sku, price: Money(amountMinorUnits: 1, currency: "EUR"), onHand: onHand,
                reserved: reserved)
        }
        let products = [product("A", 4), product("B", 3, reserved: 2), product("C", 0)]
        #expect(OrderCommand.choices(for: 4, from: products) == ["A", "B", "A", "A"])
        #expect(OrderCommand.choices(for: 7, from: products) == ["A", "B", "A", "A", "A", "A", "A"])
        #expect(OrderCommand.choices(for: 1, from: [product("C", 0)]) == [])
    }

    @Test(arguments: [("TEA=2", 2), ("A=B=3", nil), ("TEA", nil), ("=2", nil), ("TEA=", nil), ("TEA=-1", -1)])
    func itemsAreRead(text: String, quantity: Int?) {
        #expect((try? OrderCommand.item(text))?.quantity == quantity)
    }
}
